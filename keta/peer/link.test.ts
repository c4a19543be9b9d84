import { expect } from 'chai'

import type { PeerError, PeerResponse } from '../cluster/peers.ts'
import { ManualClock } from '../engine/manual-clock.fixture.ts'
import { FakeNetwork } from './fake-network.fixture.ts'
import { Link } from './link.ts'

const URLS = ['http://a:1/', 'http://b:2/']
const ADDRESS = { host: '10.0.0.1', port: 1 }
const DROPPED = new Error('connection reset')

/** What became of a request; undefined while it waits. */
interface Outcome {
  response?: PeerResponse
  sent?: boolean
  message?: string
}

describe('a link to another node', () => {
  let clock: ManualClock
  let network: FakeNetwork
  let gone: number
  let link: Link

  beforeEach(() => {
    clock = new ManualClock()
    network = new FakeNetwork()
    gone = 0
    link = new Link(URLS, () => gone++, { network, clock })
  })
  afterEach(() => {
    link.close()
    expect(clock.timerCount, 'timers left').to.equal(0)
  })

  function ask(timeoutMs = 1000): Outcome {
    const outcome: Outcome = {}
    link.request({ kind: 'ping' }, timeoutMs).then(
      (response) => {
        outcome.response = response
      },
      (error: unknown) => {
        const { sent, message } = error as PeerError
        Object.assign(outcome, { sent, message })
      },
    )
    return outcome
  }

  async function open(): Promise<void> {
    network.last.events.opened(ADDRESS)
    await clock.settle()
  }

  describe('with its requests', () => {
    it('connects at once, and sends what waited for the connection when it is there', async () => {
      expect(network.last.url).to.equal('http://a:1/')
      const outcome = ask()
      await clock.settle()
      expect(network.last.written).to.have.length(0)
      await open()
      expect(network.last.asked()).to.deep.equal([[{ id: 1, request: { kind: 'ping' } }]])
      network.last.answer([[1, { kind: 'done' }]])
      await clock.settle()
      expect(outcome.response).to.deep.equal({ kind: 'done' })
    })

    it('sends all requests of one turn in one message', async () => {
      await open()
      for (let count = 0; count < 100; count++) ask()
      expect(network.last.written).to.have.length(0)
      await clock.settle()
      expect(network.last.asked().map((batch) => batch.length)).to.deep.equal([100])
    })

    it('gives every request its own answer, in whatever order they come', async () => {
      await open()
      const outcomes = [ask(), ask(), ask()]
      await clock.settle()
      network.last.answer([
        [3, { kind: 'readIndex', offset: 3 }],
        [1, { kind: 'readIndex', offset: 1 }],
      ])
      network.last.answer([[2, { kind: 'readIndex', offset: 2 }]])
      await clock.settle()
      expect(outcomes.map(({ response }) => response)).to.deep.equal(
        [1, 2, 3].map((offset) => ({ kind: 'readIndex', offset })),
      )
    })

    it('does not know what became of a request that was sent and not answered in time', async () => {
      await open()
      const outcome = ask(100)
      await clock.settle()
      await clock.advance(99)
      expect(outcome).to.deep.equal({})
      await clock.advance(1)
      expect(outcome).to.include({ sent: true, message: 'http://a:1/: no answer within 100 ms' })
      network.last.answer([[1, { kind: 'done' }]])
    })

    it('knows that a request was never sent if the connection was not there in time', async () => {
      const outcome = ask(100)
      await clock.advance(100)
      expect(outcome).to.include({ sent: false })
      await open()
      expect(network.last.written).to.have.length(0)
    })

    it('writes no more while the other side does not keep up, and knows what it has kept back', async () => {
      await open()
      network.last.takesMore = false
      const first = ask()
      await clock.settle()
      const [late, second] = [ask(100), ask()]
      await clock.advance(100)
      expect(network.last.written).to.have.length(1)
      expect(late).to.include({ sent: false })
      network.last.takesMore = true
      network.last.events.drained()
      expect(network.last.asked().flatMap((batch) => batch.map(({ id }) => id))).to.deep.equal([1, 3])
      network.last.takesMore = false
      const kept = [ask(), ask()]
      await clock.settle()
      kept.push(ask())
      network.last.events.ended(DROPPED)
      await clock.settle()
      expect([first, second, ...kept].map(({ sent }) => sent)).to.deep.equal([true, true, true, true, false])
    })

    it('does not know the outcome if the other side says that it failed', async () => {
      await open()
      const outcome = ask()
      await clock.settle()
      network.last.answer([[1, { kind: 'failed' }]])
      await clock.settle()
      expect(outcome).to.include({ sent: true })
    })

    it('gives up a connection that brings what is not an answer', async () => {
      await open()
      const outcome = ask()
      await clock.settle()
      network.last.events.message(Buffer.from([0xff]))
      await clock.settle()
      expect(network.last.closed).to.equal(true)
      expect(outcome).to.include({ sent: true })
    })

    it('rejects everything at its end, and from then on', async () => {
      await open()
      const sent = ask()
      await clock.settle()
      const kept = ask()
      link.close()
      link.close()
      const late = ask()
      await clock.settle()
      expect([sent, kept, late].map((outcome) => outcome.sent)).to.deep.equal([true, false, false])
      expect(network.last.closed).to.equal(true)
      expect(network.dialled).to.have.length(1)
    })
  })

  describe('with its connections', () => {
    it('refuses requests between two attempts, and tries the URLs in turn with growing pauses', async () => {
      const waited = ask()
      network.last.events.ended(new Error('no route'))
      const refused = ask()
      await clock.settle()
      for (const outcome of [waited, refused]) expect(outcome).to.include({ sent: false })
      expect(refused.message).to.equal('http://b:2/: not connected: no route')
      const pauses: number[] = []
      for (let attempt = 2; attempt <= 11; attempt++) {
        const since = clock.now()
        while (network.dialled.length < attempt) await clock.advance(5)
        pauses.push(clock.now() - since)
        network.last.events.ended(new Error('no route'))
      }
      expect(pauses).to.deep.equal([5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000])
      expect(network.dialled.map(({ url }) => URLS.indexOf(url))).to.deep.equal([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    })

    it('gives up an attempt that leads nowhere', async () => {
      await clock.advance(2_999)
      expect(network.last.closed).to.equal(false)
      await clock.advance(1)
      expect(network.last.closed).to.equal(true)
      await clock.advance(5)
      expect(network.dialled).to.have.length(2)
    })

    it('keeps on trying whatever a URL looks like', async () => {
      const other = new FakeNetwork()
      const odd = new Link(['not a URL', 'http://b:2/'], () => gone++, { network: other, clock })
      await clock.advance(5)
      expect(other.last.url).to.equal('http://b:2/')
      odd.close()
    })

    it('connects again at once when the connection ends, and sends what was asked meanwhile', async () => {
      await open()
      network.last.events.ended(DROPPED)
      const outcome = ask()
      expect(network.lastProbe.address).to.equal(ADDRESS)
      network.lastProbe.done(false)
      expect(network.dialled.map(({ url }) => url)).to.deep.equal(['http://a:1/', 'http://a:1/'])
      await open()
      network.last.answer([[1, { kind: 'done' }]])
      await clock.settle()
      expect(outcome.response).to.deep.equal({ kind: 'done' })
      expect(gone).to.equal(0)
    })
  })

  describe('with the life of the other process', () => {
    it('says that it is gone when the connection ended and a new one is refused, once', async () => {
      await open()
      const outcome = ask()
      await clock.settle()
      network.last.events.ended(DROPPED)
      network.lastProbe.done(true)
      await clock.settle()
      expect(gone).to.equal(1)
      expect(outcome).to.include({ sent: true })
      for (let attempt = 0; attempt < 5; attempt++) {
        await clock.advance(1_000)
        network.last.events.ended(new Error('refused'))
      }
      expect(network.probes).to.have.length(1)
      expect(gone).to.equal(1)
      await clock.advance(1_000)
      await open()
      network.last.events.ended(DROPPED)
      network.lastProbe.done(true)
      expect(gone).to.equal(2)
    })

    it('says nothing if it was never connected', async () => {
      for (let attempt = 0; attempt < 5; attempt++) {
        network.last.events.ended(new Error('ECONNREFUSED'))
        await clock.advance(1_000)
      }
      expect(network.probes).to.have.length(0)
      expect(gone).to.equal(0)
    })

    it('says nothing while the address neither takes nor refuses a connection, and connects elsewhere', async () => {
      await open()
      network.last.events.ended(DROPPED)
      await clock.advance(499)
      expect(network.dialled).to.have.length(1)
      await clock.advance(1)
      expect(network.lastProbe.cancelled).to.equal(true)
      expect(network.dialled).to.have.length(2)
      await clock.advance(3_005)
      expect(network.last.url).to.equal('http://b:2/')
      await open()
      expect(gone).to.equal(0)
    })

    // A process that is being killed may close its connections before the socket that it listens on.
    it('says so too when the first new connection was taken, and a later one is refused', async () => {
      await open()
      network.last.events.ended(DROPPED)
      network.lastProbe.done(false)
      network.last.events.ended(new Error('reset'))
      expect(gone).to.equal(0)
      await clock.advance(5)
      network.lastProbe.done(true)
      expect(gone).to.equal(1)
    })

    it('can be closed by who is told', async () => {
      const other = new FakeNetwork()
      const closing: Link = new Link(URLS, () => closing.close(), { network: other, clock })
      other.last.events.opened(ADDRESS)
      other.last.events.ended(DROPPED)
      other.lastProbe.done(true)
      await clock.advance(5_000)
      expect(other.dialled).to.have.length(1)
    })

    it('is not asked after when the link itself ends the connection', async () => {
      await open()
      link.close()
      await clock.advance(5_000)
      expect(network.probes).to.have.length(0)
    })
  })

  it('tells who counts of its connections, bytes and failures, and of how long a ping takes', async () => {
    const told: string[] = []
    const tell =
      (what: string) =>
      (value?: number): void =>
        void told.push(value === undefined ? what : `${what} ${value}`)
    const observer = {
      connected: tell('connected'),
      disconnected: tell('disconnected'),
      sent: (bytes: number) => told.push(bytes > 0 ? 'sent' : 'sent nothing'),
      received: (bytes: number) => told.push(bytes > 0 ? 'received' : 'received nothing'),
      roundTrip: tell('round trip'),
      failed: tell('failed'),
    }
    link.close()
    const watched = new Link(URLS, () => undefined, { network, clock, observer })
    await open()
    await clock.advance(4_000)
    await clock.advance(7)
    network.last.answer([[1, { kind: 'done' }]])
    await clock.settle()
    expect(told.splice(0)).to.deep.equal(['connected', 'sent', 'received', 'round trip 7'])
    const asked = watched.request({ kind: 'readIndex' }, 1000).catch(() => undefined)
    await clock.settle()
    network.last.events.ended(DROPPED)
    await asked
    const late = watched.request({ kind: 'readIndex' }, 10).catch(() => undefined)
    await clock.advance(10)
    await late
    watched.close()
    expect(told).to.deep.equal(['sent', 'disconnected', 'failed', 'failed'])
  })
})
