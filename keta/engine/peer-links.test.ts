import { expect } from 'chai'
import type { PeerLink } from '../cluster/peers.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import { PeerLinks, type Reachable } from './peer-links.ts'

const A: Reachable = { memberId: 1n, urls: ['a'] }
const B: Reachable = { memberId: 2n, urls: ['b'] }
const C: Reachable = { memberId: 3n, urls: ['c'] }

class OpenLink implements PeerLink {
  readonly url: string
  readonly die: () => void
  isClosed = false

  constructor(url: string, die: () => void) {
    this.url = url
    this.die = die
  }

  request(): Promise<never> {
    return Promise.reject(new Error('not asked here'))
  }

  close(): void {
    this.isClosed = true
  }
}

describe('the connections between nodes', () => {
  let clock: ManualClock
  let made: OpenLink[]
  let gone: bigint[]
  let links: PeerLinks
  const open = (): readonly string[] => made.filter(({ isClosed }) => !isClosed).map(({ url }) => url)

  beforeEach(() => {
    clock = new ManualClock()
    made = []
    gone = []
    links = new PeerLinks({
      self: A.memberId,
      clock,
      peers: {
        connect: (urls, onGone) => {
          const link = new OpenLink(urls[0] ?? '', onGone)
          made.push(link)
          return link
        },
      },
      onLeaderGone: ({ memberId }) => gone.push(memberId),
    })
  })

  it('are made to every other member before one of them leads', () => {
    links.keep([A, B, C])
    expect(open()).to.deep.equal(['b', 'c'])
    links.follow(C)
    expect(links.leader).to.equal(made[1])
    expect(made).to.have.length(2)
  })

  it('reach a leader that is no member yet, and lead to none while this node leads itself', () => {
    links.follow(B)
    expect(links.leader).to.equal(made[0])
    links.keep([A, C])
    expect(open()).to.deep.equal(['b', 'c'])
    links.follow(A)
    expect(links.leader).to.equal(undefined)
  })

  it('stay open for the last answers of a deposed leader, and not for long', async () => {
    links.keep([A, B, C])
    links.follow(B)
    links.follow(C)
    expect(open()).to.deep.equal(['b', 'c', 'b'])
    await clock.advance(2_000)
    expect(open()).to.deep.equal(['c', 'b'])
  })

  it('are kept while the same node comes to lead again, and made anew when it is reached elsewhere', () => {
    links.follow(B)
    links.follow({ ...B })
    expect(made).to.have.length(1)
    links.follow({ ...B, urls: ['elsewhere'] })
    expect(links.leader).to.equal(made[1])
  })

  it('tell of the death of the leader, not of that of others or of one that was deposed', () => {
    links.keep([A, B, C])
    links.follow(B)
    made[1]?.die()
    expect(gone).to.deep.equal([])
    made[0]?.die()
    expect(gone).to.deep.equal([2n])
    links.follow(C)
    made[0]?.die()
    expect(gone).to.deep.equal([2n])
  })

  it('are all closed at the end, and none is made afterwards', () => {
    links.keep([A, B, C])
    links.follow(B)
    links.follow(C)
    links.close()
    links.keep([A, B, C])
    expect(open()).to.deep.equal([])
  })
})
