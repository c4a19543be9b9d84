/** What all connections together may hold: who goes when it is too much, and that the others stay. */
import { expect } from 'chai'
import { FRAME, frame, grpcMessage } from '../../test/raw-http2.fixture.ts'
import { keptBytes } from '../suite/garbage.fixture.ts'
import { Memory, type Share } from './memory.ts'
import { call, opening, type RawClient, setting } from './raw-client.fixture.ts'
import { RawServer } from './raw-server.fixture.ts'

const MIB = 2 ** 20

describe('the memory of all connections', () => {
  it('ends the largest shares until the others fit, once whoever asked for more is done', async () => {
    const memory = new Memory(100)
    const evicted: string[] = []
    const shares = ['a', 'b', 'c'].map((name): Share => memory.share(() => evicted.push(name)))
    const [a, b, c] = shares as [Share, Share, Share]
    a.add(50)
    b.add(30)
    expect(a.isTight).to.equal(true)
    c.add(60)
    c.add(10)
    expect(evicted).to.deep.equal([])
    await Promise.resolve()
    expect(evicted).to.deep.equal(['c'])
    expect(memory.bytes).to.equal(80)
    c.add(1_000)
    expect(memory.bytes).to.equal(80)
    a.add(-50)
    b.end()
    b.end()
    expect(memory.bytes).to.equal(0)
    expect(a.isTight).to.equal(false)
  })
})

describe('connections that together hold too much', () => {
  let server: RawServer

  beforeEach(() => {
    server = new RawServer()
  })

  afterEach('another client is served, and there was no defect', () => server.end())

  const noWindow = frame(FRAME.settings, 0, 0, setting(4, 0))
  const lost = (): readonly RawClient[] => server.clients.filter(({ isClosed }) => isClosed)

  it('lose those with the most answers that they do not take, and the modest one stays', async () => {
    await server.serve({ memoryBytes: 32 * MIB }, MIB)
    server.probe.onUnary = (request) => (request.length > 0 ? Buffer.alloc(4 * MIB) : Buffer.alloc(10_000))
    const modest = server.connect(noWindow, call(1), call(3), call(5))
    await modest.settled()
    const before = keptBytes()
    for (let count = 0; count < 20; count++) {
      const greedy = server.connect(noWindow, ...[1, 3, 5, 7, 9].map((id) => call(id, 'large')))
      await greedy.settled().catch(() => undefined)
    }
    expect(keptBytes() - before).to.be.lessThan(48 * MIB)
    expect(lost().length).to.be.within(10, 19)
    for (const client of lost()) expect(client.endings).to.deep.equal(['goaway 11 the server is short of memory'])
    expect(modest.isClosed).to.equal(false)
    modest.send(frame(FRAME.settings, 0, 0, setting(4, 65_535)))
    await modest.until('its answers', () => modest.answered.length === 3)
  })

  it('let each wait for little once half of all is taken', async () => {
    await server.serve({ memoryBytes: 16 * MIB }, MIB)
    let handled = 0
    server.probe.onUnary = () => {
      handled++
      return Buffer.alloc(MIB)
    }
    const first = server.connect(noWindow, ...Array.from({ length: 20 }, (_, index) => call(2 * index + 1)))
    await first.settled()
    expect(handled).to.be.within(8, 10)
    const second = server.connect(noWindow, ...Array.from({ length: 20 }, (_, index) => call(2 * index + 1)))
    await second.settled()
    expect(handled).to.be.within(9, 12)
    expect(lost()).to.deep.equal([])
    for (const client of [first, second]) {
      client.send(
        frame(FRAME.settings, 0, 0, setting(4, 4 * MIB)),
        frame(FRAME.windowUpdate, 0, 0, Buffer.from('40000000', 'hex')),
      )
      await client.until('all answers', () => client.answered.length === 20)
    }
  })

  it('lose those that begin requests without end and finish none', async () => {
    await server.serve({ memoryBytes: 8 * MIB }, MIB)
    const body = grpcMessage(Buffer.alloc(60_000), 0, 61_000)
    const parts = [0, 15_000, 30_000, 45_000].map((at) => body.subarray(at, at + 15_000))
    const begun = (id: number): Buffer =>
      Buffer.concat([opening(id), ...parts.map((part) => frame(FRAME.data, 0, id, part))])
    const before = keptBytes()
    for (let count = 0; count < 30; count++) {
      const client = server.connect(...Array.from({ length: 15 }, (_, index) => begun(2 * index + 1)))
      await client.settled().catch(() => undefined)
    }
    expect(lost().length).to.be.within(15, 29)
    expect(keptBytes() - before).to.be.lessThan(40 * MIB)
  })

  it('lose those that keep calls open without end', async () => {
    await server.serve({ memoryBytes: 4 * MIB }, MIB)
    for (let count = 0; count < 4; count++) {
      const calls = Array.from({ length: 600 }, (_, index) => opening(2 * index + 1, '/test.Service/Stream'))
      await server
        .connect(...calls)
        .settled()
        .catch(() => undefined)
    }
    expect(lost().length).to.be.within(2, 3)
    expect(server.probe.streams.filter(({ closes }) => closes === 0).length).to.be.at.most(1024)
  })
})
