/** A leader that answers reads by a lease stands still; the group elects another one sooner than the lease ends. */
import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { startKafka } from '../../../test-servers/kafka.ts'
import { startKetaCluster } from '../../../test-servers/keta-cluster.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { KV } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../api-client.fixture.ts'
import { leaderOf } from './fault-cluster.ts'
import { toBytes, toText } from './kv-wire.ts'

const LEASE_MS = 5_000
const SESSION_MS = 1_500
/** Of the leader: longer than the session, shorter than the lease and than the time to its next tick. */
const PAUSE_MS = 4_000
const FLAGS = [
  ...[`--read-lease=${LEASE_MS}ms`, `--kafka-session-timeout=${SESSION_MS}ms`],
  ...['--leader-tick-interval=4500ms', '--leader-silence=20s'],
]
const KEY = toBytes('key')

describe('a leader with a read lease that stands still', function () {
  this.timeout(90_000)
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops) await stop()
  })

  it('answers no read from before what another one has acknowledged since', async function () {
    const kafka = await provideOrSkip(this, () => startKafka())
    stops.unshift(() => kafka.stop())
    const cluster = await startKetaCluster({ bootstrapServers: () => kafka.bootstrapServers, nodes: 2, flags: FLAGS })
    stops.unshift(() => cluster.stop())
    const index = await leaderOf(cluster.endpoints)
    const [leader, other] = [clientOf(index), clientOf(1 - index)]
    function clientOf(at: number): ApiClient {
      const client = new ApiClient(cluster.endpoints[at] ?? '')
      stops.unshift(() => {
        client.close()
        return Promise.resolve()
      })
      return client
    }

    await leader.call(KV.method.put, { key: KEY, value: toBytes('old') })
    cluster.nodes[index]?.pause()
    const resumeAt = performance.now() + PAUSE_MS
    const written = until(resumeAt, async () => other.call(KV.method.put, { key: KEY, value: toBytes('new') }))
    await Promise.race([written, delay(PAUSE_MS)])
    const wasWritten = await Promise.race([written, Promise.resolve(false)])
    const read = leader.call(KV.method.range, { key: KEY })
    cluster.nodes[index]?.resume()
    const { kvs } = await read
    if (wasWritten) expect(kvs.map(({ value }) => toText(value))).to.deep.equal(['new'])
    expect(wasWritten, 'a write was acknowledged before the lease had ended').to.equal(false)
    await cluster.ready()
  })
})

/** @returns whether it succeeded in time. */
async function until(deadline: number, action: () => Promise<unknown>): Promise<boolean> {
  while (performance.now() < deadline) {
    const isDone = await action().then(
      () => true,
      () => false,
    )
    if (isDone) return performance.now() < deadline
    await delay(20)
  }
  return false
}
