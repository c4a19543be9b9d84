import { expect } from 'chai'

import type { Version } from '../mvcc/kv.ts'
import { KV, Watch } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Event_EventType as EventType } from '../proto/gen/mvccpb/kv_pb.js'
import type { WatchSink } from '../watch/watch.ts'
import { call, servedEngine, TestStream, utf8 } from './test-client.fixture.ts'

const { watch } = Watch.method

describe('the Watch service', () => {
  const served = servedEngine()
  const { services } = served
  let stream: TestStream<typeof watch>

  beforeEach(() => {
    stream = new TestStream(services, watch)
  })

  afterEach(() => stream.close())

  const create = (value: { key?: Uint8Array; rangeEnd?: Uint8Array; startRevision?: bigint; watchId?: bigint } = {}) =>
    stream.send({ requestUnion: { case: 'createRequest', value: { key: utf8('k'), ...value } } })
  const cancel = (watchId: bigint) => stream.send({ requestUnion: { case: 'cancelRequest', value: { watchId } } })
  const write = (value: string) => call(services, KV.method.put, { key: utf8('k'), value: utf8(value) })

  it('says that a watch was created before it gives its events', async () => {
    await create()
    expect(stream.answers).to.have.length(1)
    expect(stream.answers[0]).to.include({ created: true, canceled: false, watchId: 0n })
    await write('v')
    await call(services, KV.method.deleteRange, { key: utf8('k') })
    const [, first, second] = stream.answers
    expect(first?.header?.revision).to.equal(2n)
    expect(first?.events[0]).to.include({ type: EventType.PUT })
    expect(first?.events[0]?.kv).to.deep.include({ key: utf8('k'), value: utf8('v'), modRevision: 2n, version: 1n })
    expect(second?.events[0]).to.include({ type: EventType.DELETE })
    expect(second?.events[0]?.kv).to.deep.include({ key: utf8('k'), modRevision: 3n, createRevision: 0n, version: 0n })
  })

  it('ends a stream whose answer cannot be encoded, without a word to whoever publishes', async () => {
    const { engine } = served
    const open = engine.openWatchStream.bind(engine)
    const sinks: WatchSink[] = []
    engine.openWatchStream = (sink) => {
      sinks.push(sink)
      return open(sink)
    }
    const broken = new TestStream(services, watch)
    const version = { encodedLength: 1 } as Version
    const events = [{ event: { version, previous: undefined }, previous: undefined }]
    expect(sinks[0]?.send({ kind: 'events', watchId: 0n, revision: 2, events, fragment: false })).to.equal(false)
    expect(broken.failure).to.equal(undefined)
    await Promise.resolve()
    expect(broken.failure?.message).to.equal('etcdserver: the watch answer cannot be encoded')
  })

  it('refuses in the shape and the words of etcd', async () => {
    await create({ watchId: 4n })
    await create({ watchId: 4n })
    await create({ rangeEnd: utf8('a') })
    await create({ startRevision: -1n })
    const refused = { created: true, canceled: true, watchId: -1n }
    const [, ...refusals] = stream.answers
    for (const answer of refusals) expect(answer).to.include(refused)
    expect(refusals.map(({ cancelReason }) => cancelReason)).to.deep.equal([
      'mvcc: duplicate watch ID provided on the WatchStream',
      'mvcc: watcher range is empty',
      'etcdserver: mvcc: required revision has been compacted',
    ])
  })

  it('answers a cancellation once, and says nothing to one of an unknown id', async () => {
    await create()
    await cancel(9n)
    await cancel(0n)
    await cancel(0n)
    expect(stream.answers).to.have.length(2)
    expect(stream.answers[1]).to.include({ canceled: true, created: false, watchId: 0n, cancelReason: '' })
    await write('unseen')
    expect(stream.answers).to.have.length(2)
  })

  it('passes over requests of no kind', async () => {
    await stream.send({})
    expect(stream.answers).to.deep.equal([])
    expect(stream.failure).to.equal(undefined)
  })

  it('goes on after the client has half-closed', async () => {
    await create()
    stream.halfClose()
    await write('v')
    expect(stream.answers).to.have.length(2)
    expect(stream.ended).to.equal(false)
  })

  it('answers a progress request for the whole stream', async () => {
    await create()
    await stream.send({ requestUnion: { case: 'progressRequest', value: {} } })
    expect(stream.answers[1]).to.include({ watchId: -1n, created: false })
    expect(stream.answers[1]?.header?.revision).to.equal(1n)
  })

  it('holds events back from a client that takes none, and makes up for them when it does', async () => {
    await create()
    stream.takesMore = false
    await write('one')
    await write('two')
    await write('three')
    expect(stream.answers).to.have.length(2)
    stream.drain()
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    const revisions = stream.answers.flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision))
    expect(revisions).to.deep.equal([2n, 3n, 4n])
  })

  it('forgets its watches when the stream closes', async () => {
    await create()
    stream.close()
    await write('v')
    expect(stream.answers).to.have.length(1)
  })
})
