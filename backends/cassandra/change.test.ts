import { expect } from 'chai'
import type { Commit, KeyChange } from '../shared/driver.ts'
import {
  amendSeat,
  type Change,
  commitChange,
  conflict,
  emptySeat,
  forgetSession,
  openSession,
  outcomeOf,
  takeSeat,
} from './change.ts'
import { leaderAt, markAt, type Place, placeText, sessionAt, valueAt } from './layout.ts'
import type { Content, Row } from './row.ts'

const SEAT = { kind: 'leader', service: 's' } as const
const DATA = new Uint8Array([1])

/** What stands in the store; changes are made on it one after the other. */
class World {
  revision = 10n
  readonly rows = new Map<string, Row>()
  advanced = 0

  put(place: Place, content: Content, at = this.revision): void {
    this.rows.set(placeText(place), { ...place, ...content, at })
  }

  make<T>({ decide }: Change<T>): T {
    const staged: [Place, Content | undefined][] = []
    const view = { get: (place: Place) => this.rows.get(placeText(place)), small: [...this.rows.values()] }
    const stage = {
      put: (place: Place, become: Content | undefined) => void staged.push([place, become]),
      advance: () => {
        this.advanced++
      },
    }
    const result = decide(view, stage, this.revision + 1n)
    if (staged.length > 0) this.revision++
    for (const [place, become] of staged) {
      if (become === undefined) this.rows.delete(placeText(place))
      else this.put(place, become)
    }
    return result
  }

  failure(change: Change<unknown>): unknown {
    try {
      this.make(change)
    } catch (error) {
      return error
    }
    return undefined
  }
}

function commitOf(number: number, after: number, ...changes: KeyChange[]): Commit {
  return { id: { session: 'a', slot: 0, number, after }, changes, fence: undefined }
}

const write = (key: string, expect: KeyChange['expect'] = 'anything'): KeyChange => ({ key, expect, become: DATA })

describe('a change of the store', () => {
  let world: World
  const holder = (nonce: string, session = 'a') => ({ id: nonce, session, nonce, data: DATA })

  beforeEach(() => {
    world = new World()
    world.make(openSession('a', 1000.5, []))
    world.make(openSession('b', 1000, []))
  })

  it('opens a session with its time to live rounded up', () => {
    expect(world.rows.get(placeText(sessionAt('a')))?.number).to.equal(1001n)
  })

  it('seats the first, with the revision as its token', () => {
    const first = world.make(takeSeat(SEAT, holder('x')))
    expect(first.token).to.equal(world.revision)
    expect(world.make(takeSeat(SEAT, holder('y', 'b')))).to.deep.equal(first)
    expect(world.make(takeSeat(SEAT, holder('x')))).to.deep.equal(first)
  })

  it('seats nobody whose session is over, not even where nobody sits', () => {
    expect(world.failure(takeSeat(SEAT, holder('x', 'c')))).to.include({ code: 'SESSION_LOST', effect: 'none' })
  })

  it('amends and empties the seat of the same incarnation only, and keeps its token', () => {
    const { token } = world.make(takeSeat(SEAT, holder('x')))
    const data = new Uint8Array([2])
    expect(world.make(amendSeat(SEAT, token - 1n, data))).to.equal(false)
    expect(world.make(amendSeat(SEAT, token, data))).to.equal(true)
    expect(world.rows.get(placeText(leaderAt('s')))).to.deep.include({ since: token, data, nonce: 'x' })
    world.make(emptySeat(SEAT, token + 1n))
    expect(world.rows.has(placeText(leaderAt('s')))).to.equal(true)
    world.make(emptySeat(SEAT, token))
    expect(world.rows.has(placeText(leaderAt('s')))).to.equal(false)
  })

  it('forgets of a session its seats and marks, and nobody else’s', () => {
    world.make(takeSeat(SEAT, holder('x')))
    world.make(takeSeat({ kind: 'member', group: 'g', id: 'm' }, holder('m', 'b')))
    world.make(commitChange(commitOf(1, 0, write('/a'))))
    world.put(markAt({ session: 'b', slot: 0 }), { number: 1n })
    world.make(forgetSession('a'))
    expect([...world.rows.keys()].sort()).to.deep.equal(['mark b/0', 'member g/m', 'session b', 'value /a'])
  })

  it('that opens a session ends the earlier ones of the same driver', () => {
    world.make(takeSeat(SEAT, holder('x')))
    world.make(openSession('c', 1000, ['a']))
    expect([...world.rows.keys()].sort()).to.deep.equal(['session b', 'session c'])
  })

  it('commits under its number, and once', () => {
    const commit = commitOf(1, 0, write('/a', 'absent'))
    const first = world.make(commitChange(commit))
    expect(first).to.include({ committed: true })
    expect(world.make(commitChange(commit))).to.deep.equal(first)
    expect(world.make(outcomeOf(commit))).to.deep.equal(first)
    const { revision } = world
    expect(world.make(commitChange(commitOf(2, 1, write('/a', 'absent'))))).to.include({ committed: false })
    expect(world.revision).to.equal(revision)
  })

  it('is never, once it was asked about and not there', () => {
    const commit = commitOf(1, 0, write('/a'))
    expect(world.make(outcomeOf(commit))).to.equal('never')
    expect(world.failure(commitChange(commit))).to.include({ code: 'INTERNAL', effect: 'none' })
    expect(world.make(outcomeOf(commit))).to.equal('never')
    expect(world.rows.has(placeText(valueAt('/a')))).to.equal(false)
  })

  it('finds the number before it in its slot, or does nothing', () => {
    expect(world.failure(commitChange(commitOf(2, 1, write('/a'))))).to.include({ code: 'INTERNAL', effect: 'none' })
    world.make(commitChange(commitOf(1, 0, write('/a'))))
    expect(world.failure(commitChange(commitOf(2, 0, write('/a'))))).to.include({ code: 'INTERNAL', effect: 'none' })
  })

  it('of a session that is over is refused, and what it was is unknown', () => {
    const commit = commitOf(1, 0, write('/a'))
    world.make(forgetSession('a'))
    expect(world.failure(commitChange(commit))).to.include({ code: 'SESSION_LOST', effect: 'none' })
    expect(world.failure(outcomeOf(commit))).to.include({ code: 'SESSION_LOST', effect: 'unknown' })
  })

  it('compares with the version, and tells all that it found', () => {
    world.make(commitChange(commitOf(1, 0, write('/a'))))
    const version = String(world.revision)
    const wrong = { ...write('/a'), expect: '1' as never }
    const refused = world.make(commitChange(commitOf(2, 1, wrong, write('/b', 'present'))))
    if (refused.committed) throw new Error('committed')
    expect(refused.found.get('/a')?.version).to.equal(version)
    expect([...refused.found.keys()]).to.deep.equal(['/a', '/b'])
    const right = { ...write('/a'), expect: version as never }
    expect(world.make(commitChange(commitOf(3, 1, right)))).to.include({ committed: true })
  })

  it('is fenced by the present token only', () => {
    const { token } = world.make(takeSeat(SEAT, holder('x')))
    const fenced = (number: number, after: number, service: string, theirs: bigint) =>
      world.make(commitChange({ ...commitOf(number, after, write('/a')), fence: { service, token: theirs } }))
    expect(fenced(1, 0, 's', token - 1n)).to.include({ committed: false, token })
    expect(fenced(2, 0, 'nobody', token)).to.include({ committed: false, token: undefined })
    expect(fenced(3, 0, 's', token)).to.include({ committed: true })
  })

  it('removes what is there, leaves what is not to be changed, and versions what it has written', () => {
    world.make(commitChange(commitOf(1, 0, write('/a'), write('/b'))))
    const outcome = world.make(
      commitChange(
        commitOf(
          2,
          1,
          { key: '/a', expect: 'present', become: 'absent' },
          { key: '/b', expect: 'present', become: 'unchanged' },
          { key: '/c', expect: 'anything', become: 'absent' },
          write('/d'),
        ),
      ),
    )
    if (!outcome.committed) throw new Error('refused')
    expect([...outcome.versions.keys()]).to.deep.equal(['/d'])
    const values = [...world.rows.values()].filter(({ kind }) => kind === 'value')
    expect(values.map(({ name, at }) => [name, at])).to.deep.equal([
      ['/b', world.revision - 1n],
      ['/d', world.revision],
    ])
  })

  it('conflicts with what writes to what it looks at, and not with what looks at the same', () => {
    const fenced = (key: string) =>
      commitChange({
        ...commitOf(1, 0, write(key)),
        id: { session: key, slot: 0, number: 1, after: 0 },
        fence: { service: 's', token: 1n },
      })
    expect(conflict(fenced('/a'), fenced('/b'))).to.equal(false)
    expect(conflict(fenced('/a'), fenced('/a'))).to.equal(true)
    expect(conflict(fenced('/a'), emptySeat(SEAT, 1n))).to.equal(true)
    expect(conflict(emptySeat(SEAT, 1n), fenced('/a'))).to.equal(true)
    expect(conflict(fenced('/a'), forgetSession('x'))).to.equal(true)
    expect(conflict(openSession('a', 1000, []), forgetSession('x'))).to.equal(true)
    expect(conflict(openSession('a', 1000, ['b']), forgetSession('x'))).to.equal(false)
    expect(conflict(openSession('a', 1000, ['b']), forgetSession('b'))).to.equal(true)
  })
})
