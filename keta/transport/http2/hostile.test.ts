/** Clients that break the protocol, or keep to it and mean harm: each gets its error, and nobody else notices. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { FRAME, frame, grpcMessage, OPENING } from '../../test/raw-http2.fixture.ts'
import { keptBytes } from '../suite/garbage.fixture.ts'
import { call, END_HEADERS, END_STREAM, number, opening, requestBlock, setting, times } from './raw-client.fixture.ts'
import { RawServer } from './raw-server.fixture.ts'

const STREAM = '/test.Service/Stream'
const NONE = Buffer.alloc(0)
const MIB = 2 ** 20

/** What is sent after the preface and SETTINGS, and how the server ends it. */
const CONNECTION_ERRORS: Readonly<Record<string, readonly [Buffer, string | RegExp]>> = {
  'resets calls without end': [
    Buffer.concat(
      Array.from({ length: 12_000 }, (_, index) =>
        Buffer.concat([opening(2 * index + 1), frame(FRAME.reset, 0, 2 * index + 1, number(8))]),
      ),
    ),
    'goaway 11 too many resets',
  ],
  'goes on and on with headers': [
    Buffer.concat([frame(FRAME.headers, 0, 1, NONE), times(100, frame(FRAME.continuation, 0, 1, NONE))]),
    'goaway 11 headers that go on for too long',
  ],
  'sends headers without end': [
    Buffer.concat([frame(FRAME.headers, 0, 1, NONE), times(5, frame(FRAME.continuation, 0, 1, Buffer.alloc(16_000)))]),
    'goaway 11 headers that go on for too long',
  ],
  'changes settings without end': [times(300, frame(FRAME.settings, 0, 0, NONE)), 'goaway 11 too many settings'],
  'acknowledges settings without end': [times(300, frame(FRAME.settings, 1, 0, NONE)), 'goaway 11 too many settings'],
  'pings without end': [times(10, frame(FRAME.ping, 0, 0, Buffer.alloc(8))), 'goaway 11 too_many_pings'],
  'answers pings that nobody sent': [
    times(12_000, frame(FRAME.ping, 1, 0, Buffer.alloc(8))),
    'goaway 11 too many frames without effect',
  ],
  'sends empty data without end': [
    Buffer.concat([opening(1, STREAM), times(12_000, frame(FRAME.data, 0, 1, NONE))]),
    'goaway 11 too many frames without effect',
  ],
  'sends priorities without end': [
    times(12_000, frame(2, 0, 1, Buffer.from('0000000500', 'hex'))),
    'goaway 11 too many frames without effect',
  ],
  'sends unknown frames without end': [
    times(12_000, frame(0x77, 0, 1, NONE)),
    'goaway 11 too many frames without effect',
  ],
  'widens windows without end': [
    times(12_000, frame(FRAME.windowUpdate, 0, 0, number(1))),
    'goaway 11 too many window updates',
  ],
  'makes streams fail without end': [
    Buffer.concat(Array.from({ length: 12_000 }, (_, index) => frame(FRAME.headers, END_HEADERS, 2 * index + 1, NONE))),
    'goaway 11 too many errors of streams',
  ],
  'widens the window beyond its limit': [frame(FRAME.windowUpdate, 0, 0, number(0x7fff_ffff)), /^goaway 3 /],
  'makes the first window too large': [frame(FRAME.settings, 0, 0, setting(4, 2 ** 31)), /^goaway 3 /],
  'widens the window by nothing': [frame(FRAME.windowUpdate, 0, 0, number(0)), /^goaway 1 /],
  'sends a frame that is too large': [frame(FRAME.data, 0, 1, NONE, 16_385), /^goaway 6 /],
  'sends a ping of seven bytes': [frame(FRAME.ping, 0, 0, Buffer.alloc(7)), /^goaway 6 /],
  'sends headers that are none': [frame(FRAME.headers, END_HEADERS, 1, Buffer.alloc(100, 0xff)), /^goaway 9 /],
  'opens an even stream': [opening(2), /^goaway 1 /],
  'goes back to an earlier stream': [Buffer.concat([opening(5), opening(3)]), /^goaway 1 /],
  'uses a stream again': [Buffer.concat([call(1), opening(1)]), /^goaway 5 /],
  'sends data on a stream that is not open': [frame(FRAME.data, 0, 1, Buffer.alloc(100)), /^goaway 1 /],
  'resets a stream that is not open': [frame(FRAME.reset, 0, 1, number(0)), /^goaway 1 /],
  'pushes a promise': [frame(5, END_HEADERS, 1, number(2)), /^goaway 1 /],
  'puts another frame among its headers': [
    Buffer.concat([frame(FRAME.headers, 0, 1, NONE), frame(FRAME.ping, 0, 0, Buffer.alloc(8))]),
    /^goaway 1 /,
  ],
  'goes on with headers that it has not begun': [frame(FRAME.continuation, END_HEADERS, 1, NONE), /^goaway 1 /],
  'pads data with more than there is': [
    Buffer.concat([opening(1), frame(FRAME.data, 8, 1, Buffer.from([5, 0, 0, 0]))]),
    /^goaway 1 /,
  ],
  'pads headers with more than there is': [
    frame(FRAME.headers, 8 | END_HEADERS, 1, Buffer.from([9, 0x82])),
    /^goaway 1 /,
  ],
  'begins with something else than settings': [NONE, /^$/],
}

const STREAM_ERRORS: Readonly<Record<string, readonly [Buffer, string]>> = {
  'sends a list of headers that unpacks to megabytes': [bomb(), 'reset 1 11'],
  'sends a list of headers that is too large': [
    frame(FRAME.headers, END_HEADERS, 1, requestBlock('/x', Array(2_500).fill(['x', 'y']))),
    'reset 1 11',
  ],
  'sends data after the end': [
    Buffer.concat([opening(1, STREAM, END_STREAM), frame(FRAME.data, 0, 1, Buffer.alloc(5))]),
    'reset 1 5',
  ],
  'sends headers after the end': [
    Buffer.concat([opening(1, STREAM, END_STREAM), opening(1, STREAM, END_STREAM)]),
    'reset 1 5',
  ],
  'sends headers in the middle': [Buffer.concat([opening(1, STREAM), opening(1, STREAM)]), 'reset 1 1'],
  'makes a stream depend on itself': [
    frame(FRAME.headers, END_HEADERS | 0x20, 1, Buffer.concat([number(1), Buffer.from([0]), requestBlock(STREAM)])),
    'reset 1 1',
  ],
  'sets the priority of a stream to depend on itself': [frame(2, 0, 1, Buffer.from('0000000100', 'hex')), 'reset 1 1'],
  'widens the window of a stream beyond its limit': [
    Buffer.concat([opening(1, STREAM), frame(FRAME.windowUpdate, 0, 1, number(0x7fff_ffff))]),
    'reset 1 3',
  ],
  'sends less than it says': [
    Buffer.concat([
      frame(FRAME.headers, END_HEADERS, 1, requestBlock(STREAM, [['content-length', '10']])),
      frame(FRAME.data, END_STREAM, 1, Buffer.alloc(5)),
    ]),
    'reset 1 1',
  ],
  'has names in capitals': [frame(FRAME.headers, END_HEADERS, 1, requestBlock(STREAM, [['Name', 'x']])), 'reset 1 1'],
  'has a path that is none': [frame(FRAME.headers, END_HEADERS, 1, requestBlock('/x y')), 'reset 1 1'],
  'has a line break in a header': [
    frame(FRAME.headers, END_HEADERS, 1, requestBlock(STREAM, [['name', 'x\r\ny: z']])),
    'reset 1 1',
  ],
}

describe('the HTTP/2 server among hostile clients', () => {
  let server: RawServer

  beforeEach(() => {
    server = new RawServer()
  })

  afterEach('another client is served, and there was no defect', () => server.end())

  describe('that break the protocol, and lose the connection', () => {
    for (const [name, [bytes, ending]] of Object.entries(CONNECTION_ERRORS)) {
      if (bytes.length === 0) continue
      it(name, async () => {
        await server.serve()
        const client = server.connect(bytes)
        await client.closed()
        const last = client.endings.at(-1)
        if (typeof ending === 'string') expect(last).to.equal(ending)
        else expect(last).to.match(ending)
      })
    }

    it('begins with something else than settings', async () => {
      await server.serve()
      const client = server.dial()
      client.send(OPENING.subarray(0, 24), frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
      await client.closed()
      expect(client.endings).to.deep.equal(['goaway 1 the first frame is not SETTINGS'])
    })

    it('says nothing after the preface', async () => {
      await server.serve({ settingsMs: 50 })
      const client = server.dial()
      client.send(OPENING.subarray(0, 24))
      await client.closed()
      expect(client.endings).to.deep.equal(['goaway 4 no SETTINGS'])
    })

    it('does not answer when it is asked whether it lives', async () => {
      await server.serve({ keepaliveMs: 30, keepaliveTimeoutMs: 30 })
      const client = server.connect()
      await client.closed()
      expect(client.of(FRAME.ping)).to.have.length(1)
    })
  })

  describe('that break the protocol, and lose the stream', () => {
    for (const [name, [bytes, ending]] of Object.entries(STREAM_ERRORS)) {
      it(name, async () => {
        await server.serve()
        const client = server.connect(bytes)
        await client.until('the reset', () => client.endings.length > 0)
        expect(client.endings).to.deep.equal([ending])
        client.send(call(101, 'x'))
        await client.until('an answer', () => client.answered.includes(101))
      })
    }

    it('sends more than the window of a stream that is not read', async () => {
      await server.serve()
      server.probe.onMessage = () => new Promise(() => {})
      const body = frame(FRAME.data, 0, 1, times(10, grpcMessage(Buffer.alloc(1000))))
      const client = server.connect(opening(1, STREAM), times(6, body))
      await client.settled()
      expect(client.endings).to.deep.equal([])
      client.send(body)
      await client.until('the reset', () => client.endings.length > 0)
      expect(client.endings).to.deep.equal(['reset 1 3'])
      expect(server.probe.streams[0]!.received).to.have.length(1)
    })

    it('opens more streams than it may', async () => {
      await server.serve({ streams: 10 })
      const client = server.connect(...Array.from({ length: 11 }, (_, index) => opening(2 * index + 1, STREAM)))
      await client.until('the reset', () => client.endings.length > 0)
      expect(client.endings).to.deep.equal(['reset 21 7'])
      expect(server.probe.streams).to.have.length(10)
    })
  })

  it('does not take frames of types that it does not know for an error', async () => {
    await server.serve()
    const client = server.connect(frame(0x99, 0xff, 0x1234, Buffer.alloc(77)), call(1, 'x'))
    await client.until('an answer', () => client.answered.includes(1))
    expect(client.endings).to.deep.equal([])
  })

  it('counts calls that were reset as open until they are done', async () => {
    await server.serve({ streams: 20 })
    const finish: (() => void)[] = []
    server.probe.onUnary = (request) =>
      new Promise((resolve) => {
        finish.push(() => {
          resolve(request)
        })
      })
    const ids = Array.from({ length: 100 }, (_, index) => 2 * index + 1)
    const client = server.connect(...ids.map((id) => Buffer.concat([call(id), frame(FRAME.reset, 0, id, number(8))])))
    await client.settled()
    expect(finish).to.have.length(20)
    expect(client.endings).to.have.length(80)
    for (const one of finish.splice(0)) one()
    await new Promise(setImmediate)
    client.send(call(301))
    await client.settled()
    expect(finish).to.have.length(1)
  })

  it('asks for a window of nothing, takes no answer, and is not worked for without end', async () => {
    await server.serve()
    let handled = 0
    server.probe.onUnary = () => {
      handled++
      return Buffer.alloc(MIB)
    }
    const ids = Array.from({ length: 200 }, (_, index) => 2 * index + 1)
    const client = server.connect(frame(FRAME.settings, 0, 0, setting(4, 0)), ...ids.map((id) => call(id)))
    await client.settled()
    expect(handled).to.be.within(15, 17)
    expect(client.of(FRAME.data)).to.deep.equal([])
    client.send(frame(FRAME.settings, 0, 0, setting(4, 2 * MIB)), frame(FRAME.windowUpdate, 0, 0, number(1024 * MIB)))
    await client.until('all answers', () => client.answered.length === ids.length)
  })

  it('takes no answer, and what it sends in vain is not kept', async () => {
    await server.serve()
    server.probe.onUnary = (request) => (request.length === 0 ? request : Buffer.alloc(MIB))
    const fill = Array.from({ length: 20 }, (_, index) => call(2 * index + 1, 'large'))
    const client = server.connect(frame(FRAME.settings, 0, 0, setting(4, 0)), ...fill)
    await client.settled()
    const before = keptBytes()
    const message = grpcMessage(Buffer.alloc(50_000))
    for (let id = 101; id < 101 + 2 * 1000; id += 2) {
      const body = [0, 16_000, 32_000, 48_000].map((at) => frame(FRAME.data, 0, id, message.subarray(at, at + 16_000)))
      client.send(opening(id), ...body, frame(FRAME.reset, 0, id, number(8)))
    }
    await client.settled()
    expect(client.endings).to.deep.equal([])
    expect(keptBytes() - before).to.be.lessThan(40 * MIB)
  })

  it('takes its answers by single bytes, and gets them', async () => {
    await server.serve()
    const client = server.connect(frame(FRAME.settings, 0, 0, setting(4, 1)), call(1, 'answer'))
    for (let bytes = 1; bytes <= 11; bytes++) {
      await client.until('a byte', () => client.of(FRAME.data).length === bytes)
      expect(client.of(FRAME.data).at(-1)?.payload).to.have.length(1)
      client.send(frame(FRAME.windowUpdate, 0, 1, number(1)))
    }
    await client.until('the end', () => client.answered.includes(1))
    const received = Buffer.concat(client.of(FRAME.data).map(({ payload }) => payload))
    expect(received).to.deep.equal(grpcMessage(Buffer.from('answer')))
  })

  it('does not read its socket, and is not read either', async () => {
    await server.serve()
    let handled = 0
    server.probe.onUnary = (request) => {
      if (request.length === 0) return request
      handled++
      return Buffer.alloc(100_000)
    }
    const client = server.connect(frame(FRAME.settings, 0, 0, setting(4, 2 ** 31 - 1)))
    client.send(frame(FRAME.windowUpdate, 0, 0, number(2 ** 30)))
    await client.settled()
    client.socket.pause()
    const before = keptBytes()
    for (let id = 1; id < 4000; id += 2) client.send(call(id, 'large'))
    const another = server.connect(call(1))
    await another.until('an answer', () => another.answered.includes(1))
    await delay(200)
    expect(handled).to.be.lessThan(400)
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(80 * MIB)
  })

  it('does not read refusals either, and can send no more when enough of them wait', async () => {
    await server.serve()
    const client = server.connect()
    await client.settled()
    client.socket.pause()
    const block = requestBlock(`/${'s'.repeat(1000)}/Nope`)
    let sent = 0
    const sendSome = (): Promise<void> =>
      new Promise((resolve) => {
        const some = Array.from({ length: 100 }, () =>
          frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * sent++ + 1, block),
        )
        client.socket.write(Buffer.concat(some), () => {
          resolve()
        })
      })
    let isStuck = false
    while (!isStuck && sent < 40_000) {
      isStuck = await Promise.race([sendSome().then(() => false), delay(1_000, true, { ref: false })])
    }
    expect(isStuck).to.equal(true)
    client.socket.resume()
    await client.until('all refusals', () => client.answered.length === sent)
  })

  it('toggles the first window of thousands of streams, which takes no time', async () => {
    await server.serve()
    const toggles = Buffer.concat(Array.from({ length: 1300 }, () => [setting(4, 0), setting(4, 65_535)]).flat())
    const streams = Array.from({ length: 5000 }, (_, index) => opening(2 * index + 1, STREAM))
    const client = server.connect(
      ...streams,
      ...Array.from({ length: 100 }, () => frame(FRAME.settings, 0, 0, toggles)),
    )
    const start = process.cpuUsage().user
    await client.settled()
    expect((process.cpuUsage().user - start) / 1e6).to.be.lessThan(5)
  })

  it('begins large messages on many streams: they are let in one after the other, and all in the end', async () => {
    await server.serve({ heldBytes: 0, pingMinMs: 0 }, MIB)
    server.probe.onUnary = () => Buffer.alloc(0)
    const message = grpcMessage(Buffer.alloc(MIB, 1))
    const ids = Array.from({ length: 12 }, (_, index) => 2 * index + 1)
    const client = server.connect(...ids.map((id) => opening(id)))
    const sent = new Map(ids.map((id) => [id, 0]))
    const room = new Map(ids.map((id) => [id, 65_535]))
    let seen = 0
    const sendMore = (): void => {
      for (; seen < client.frames.length; seen++) {
        const { type, streamId, payload } = client.frames[seen]!
        if (type === FRAME.windowUpdate && streamId > 0)
          room.set(streamId, room.get(streamId)! + payload.readUInt32BE(0))
      }
      for (const id of ids) {
        for (;;) {
          const at = sent.get(id)!
          const end = Math.min(at + 16_000, at + room.get(id)!, message.length)
          if (end === at) break
          room.set(id, room.get(id)! - (end - at))
          sent.set(id, end)
          client.send(frame(FRAME.data, end === message.length ? END_STREAM : 0, id, message.subarray(at, end)))
        }
      }
    }
    sendMore()
    await client.settled()
    const letIn = client.of(FRAME.windowUpdate).filter(({ streamId }) => streamId > 0)
    expect(letIn).to.have.length.within(1, ids.length - 1)
    for (let round = 0; round < 1000 && client.answered.length < ids.length; round++) {
      sendMore()
      await client.settled()
      expect(client.endings).to.deep.equal([])
    }
    expect(client.answered).to.have.members(ids)
  })

  it('keeps thousands of connections that say nothing, in little memory', async () => {
    await server.serve()
    const count = 1000
    const before = process.memoryUsage().heapUsed
    for (let round = 0; round < count / 100; round++) {
      const some = Array.from({ length: 100 }, () => server.connect())
      await Promise.all(some.map((client) => client.until('settings', () => client.of(FRAME.settings).length === 2)))
    }
    // Both ends of each are in this process.
    expect((process.memoryUsage().heapUsed - before) / count).to.be.lessThan(100_000)
  })
})

/** A large field put into the table once, and then referred to a thousand times. */
function bomb(): Buffer {
  const large = Buffer.concat([
    Buffer.from([0x40, 1]),
    Buffer.from('a'),
    Buffer.from([0x7f, 0x81, 0x1e]),
    Buffer.alloc(3968, 98),
  ])
  return Buffer.concat([
    frame(FRAME.headers, 0, 1, Buffer.concat([requestBlock(STREAM), large])),
    frame(FRAME.continuation, END_HEADERS, 1, Buffer.alloc(10_000, 0x80 | 62)),
  ])
}
