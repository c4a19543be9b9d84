/**
 * What went wrong with Java Keta on clusters, one test for each: found by running it, or by reading its source. The
 * numbers are only for telling them apart.
 */
import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { type KafkaCluster, startKafka } from '../../../test-servers/kafka.ts'
import { type KetaCluster, startKetaCluster } from '../../../test-servers/keta-cluster.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { Cluster, KV, Lease, Maintenance, type RangeResponse } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../api-client.fixture.ts'
import { ALL, WatchReader } from '../watch-reader.fixture.ts'
import { leaderOf } from './fault-cluster.ts'
import { toBytes, toText } from './kv-wire.ts'
import { keepAlive } from './lease-workload.ts'

const TICK_MS = 300
const SESSION_MS = 2_000
const FLAGS = [`--leader-tick-interval=${TICK_MS}ms`, `--kafka-session-timeout=${SESSION_MS}ms`]
/** For a successor to take over, on a machine that is busy. */
const FAIL_OVER_MS = 20_000

describe('what Java Keta did wrong and a cluster of ours does not', function () {
  this.timeout(120_000)
  const stops: (() => Promise<void>)[] = []
  let kafka: KafkaCluster
  let cluster: KetaCluster
  let clients: readonly ApiClient[] = []
  let keys = 0
  let key: string

  before(async function () {
    kafka = await provideOrSkip(this, () => startKafka())
    stops.unshift(() => kafka.stop())
    cluster = await startKetaCluster({ bootstrapServers: () => kafka.bootstrapServers, name: 'one', flags: FLAGS })
    stops.unshift(() => cluster.stop())
    clients = cluster.endpoints.map((endpoint) => new ApiClient(endpoint, { reconnectMs: 100 }))
  })
  after(async () => {
    for (const client of clients) client.close()
    for (const stop of stops) await stop()
  })
  beforeEach(() => {
    key = `key-${++keys}`
  })
  afterEach(() => cluster.ready())

  function at(index: number): { readonly client: ApiClient; readonly node: TestServer } {
    const [client, node] = [clients[index], cluster.nodes[index]]
    if (client === undefined || node === undefined) throw new RangeError(`there is no node ${index}`)
    return { client, node }
  }

  /** The node that leads, and another one. */
  async function leaderAndOther() {
    const leader = await leaderOf(cluster.endpoints)
    return { leader: at(leader), other: at((leader + 1) % cluster.nodes.length) }
  }

  async function put({ client }: { readonly client: ApiClient }, name: string, value: string, lease = 0n) {
    const { header } = await client.call(KV.method.put, { key: toBytes(name), value: toBytes(value), lease })
    return header?.revision ?? 0n
  }

  /** As soon as somebody leads. */
  async function putEventually(to: { readonly client: ApiClient }, name: string, value: string): Promise<void> {
    await eventually(() => put(to, name, value))
  }

  function get({ client }: { readonly client: ApiClient }, name: string): Promise<RangeResponse> {
    return client.call(KV.method.range, { key: toBytes(name) })
  }

  async function valuesEverywhere(name: string): Promise<readonly (string | undefined)[]> {
    await cluster.ready()
    const answers = await Promise.all(clients.map((client) => get({ client }, name)))
    return answers.map(({ kvs }) => kvs[0] && toText(kvs[0].value))
  }

  it('3.1 keeps every acknowledged write over restarts and fail-overs, also of older keys', async () => {
    const { leader, other } = await leaderAndOther()
    await put(leader, key, 'v1')
    await leader.node.kill()
    await putEventually(other, `${key}-new`, '1')
    await put(other, key, 'v2')
    await leader.node.restart()
    expect(await valuesEverywhere(key)).to.deep.equal(['v2', 'v2', 'v2'])
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await Promise.all(cluster.nodes.map((node) => node.restart()))
    expect(await valuesEverywhere(key)).to.deep.equal(['v2', 'v2', 'v2'])
  })

  it('3.2 appends nothing but signs of life when nobody writes, whoever was killed before', async () => {
    const { leader } = await leaderAndOther()
    await leader.node.kill()
    await leader.node.restart()
    await cluster.ready()
    const before = await logEnd('one-log')
    const since = performance.now()
    await delay(5 * TICK_MS)
    const appended = (await logEnd('one-log')) - before
    expect(appended).to.be.lessThan((performance.now() - since) / TICK_MS + 5)
  })

  it('3.3 keeps leases when the leader dies: renewed, asked for, attached to, revoked, and run out', async () => {
    const { leader, other } = await leaderAndOther()
    const [kept, short] = [700n, 701n]
    await leader.client.call(Lease.method.leaseGrant, { ID: kept, TTL: 60n })
    await leader.client.call(Lease.method.leaseGrant, { ID: short, TTL: 3n })
    await put(leader, `${key}-kept`, 'v', kept)
    await put(leader, `${key}-short`, 'v', short)
    await leader.node.kill()
    expect(await eventually(() => renewed(other.client, String(kept)))).to.equal(60)
    const { TTL, keys: attached } = await other.client.call(Lease.method.leaseTimeToLive, { ID: kept, keys: true })
    expect(Number(TTL)).to.be.within(50, 60)
    expect(attached.map(toText)).to.deep.equal([`${key}-kept`])
    await put(other, `${key}-later`, 'v', kept)
    await other.client.call(Lease.method.leaseRevoke, { ID: kept })
    expect((await get(other, `${key}-kept`)).kvs).to.deep.equal([])
    expect((await get(other, `${key}-later`)).kvs).to.deep.equal([])
    await eventually(async () => {
      const { kvs } = await get(other, `${key}-short`)
      if (kvs.length > 0) throw new Error('the key of a lease that nobody renews is still there')
    })
    await leader.node.restart()
  })

  it('3.4 a leader that stood still answers no old value and acknowledges no write that is lost', async () => {
    const { leader, other } = await leaderAndOther()
    await put(leader, key, 'old')
    leader.node.pause()
    const readThere = get(leader, key)
    const writtenThere = put(leader, `${key}-there`, 'v').then(
      () => true,
      () => false,
    )
    try {
      await putEventually(other, key, 'new')
    } finally {
      leader.node.resume()
    }
    const { kvs } = await readThere
    expect(kvs.map(({ value }) => toText(value))).to.deep.equal(['new'])
    if (await writtenThere) expect(await valuesEverywhere(`${key}-there`)).to.deep.equal(['v', 'v', 'v'])
    expect(await valuesEverywhere(key)).to.deep.equal(['new', 'new', 'new'])
  })

  it('3.6 tells watchers of every change, once and as a whole, although leaders die', async () => {
    const { leader, other } = await leaderAndOther()
    const from = await put(leader, `${key}-0`, '0')
    const reader = WatchReader.on(other.client)
    reader.create({ ...ALL, startRevision: from })
    const pair = [`${key}-1`, `${key}-2`].map((name) => ({
      request: { case: 'requestPut' as const, value: { key: toBytes(name), value: toBytes('both') } },
    }))
    await leader.client.call(KV.method.txn, { success: pair })
    await leader.node.kill()
    await putEventually(other, `${key}-3`, 'last')
    await has(reader, (events) => namesIn(events).includes(`${key}-3`))
    reader.close()
    expect(namesIn(reader.events).filter((name) => name.startsWith(key))).to.deep.equal(
      [0, 1, 2, 3].map((n) => `${key}-${n}`),
    )
    const together = reader.answers.find(({ events }) => namesIn(events).includes(`${key}-1`))
    expect(namesIn(together?.events ?? [])).to.include(`${key}-2`)
    await leader.node.restart()
  })

  it('3.7 keeps a key that was put again without its lease when that ends, as leader and as successor', async () => {
    const { leader, other } = await leaderAndOther()
    const ID = 710n
    await leader.client.call(Lease.method.leaseGrant, { ID, TTL: 60n })
    await put(leader, key, 'leased', ID)
    await leader.client.call(KV.method.deleteRange, { key: toBytes(key) })
    await put(leader, key, 'free')
    await put(leader, `${key}-replaced`, 'leased', ID)
    await put(leader, `${key}-replaced`, 'free')
    await leader.node.kill()
    await eventually(() => other.client.call(Lease.method.leaseRevoke, { ID }))
    await leader.node.restart()
    expect(await valuesEverywhere(key)).to.deep.equal(['free', 'free', 'free'])
    expect(await valuesEverywhere(`${key}-replaced`)).to.deep.equal(['free', 'free', 'free'])
  })

  it('3.9 tells as prev_kv the version just before, on every node', async () => {
    const { leader } = await leaderAndOther()
    const from = await put(leader, key, '1')
    for (const value of ['2', '3', '4']) await put(leader, key, value)
    for (const client of clients) {
      const reader = WatchReader.on(client)
      reader.create({ key: toBytes(key), startRevision: from, prevKv: true })
      await has(reader, ({ length }) => length >= 4)
      reader.close()
      const previous = reader.events.map(({ prevKv }) => prevKv && toText(prevKv.value))
      expect(previous).to.deep.equal([undefined, '1', '2', '3'])
    }
  })

  it('watches from a past revision on, at another node than before', async () => {
    const { leader } = await leaderAndOther()
    const from = await put(leader, key, '1')
    await put(leader, key, '2')
    await cluster.ready()
    for (const client of clients) {
      const reader = WatchReader.on(client)
      reader.create({ key: toBytes(key), startRevision: from })
      await has(reader, ({ length }) => length >= 2)
      reader.close()
      expect(reader.events.map(({ kv }) => toText(kv?.value ?? new Uint8Array()))).to.deep.equal(['1', '2'])
    }
  })

  it('lists its members with ids, names and URLs of their own, the same at each, and says who leads', async () => {
    const lists = await eventually(async () => {
      const all = await Promise.all(clients.map((client) => client.call(Cluster.method.memberList, {})))
      if (all.some(({ members }) => members.length < clients.length)) throw new Error('one does not know all members')
      return all
    })
    const told = lists.map(({ members }) =>
      members.map(({ ID, name, clientURLs }) => ({ ID, name, clientURLs })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    expect(told[0]?.map(({ name }) => name)).to.deep.equal(['n0', 'n1', 'n2'])
    expect(told[0]?.map(({ clientURLs }) => clientURLs)).to.deep.equal(cluster.endpoints.map((e) => [`http://${e}`]))
    expect(told[1]).to.deep.equal(told[0])
    expect(told[2]).to.deep.equal(told[0])
    const statuses = await Promise.all(clients.map((client) => client.call(Maintenance.method.status, {})))
    expect(statuses.map(({ header }) => header?.memberId)).to.deep.equal(told[0]?.map(({ ID }) => ID))
    expect(new Set(statuses.map(({ leader }) => leader)).size).to.equal(1)
    expect(told[0]?.map(({ ID }) => ID)).to.include(statuses[0]?.leader)
  })

  it('stops on SIGTERM without a gap that clients notice: another node leads already', async () => {
    const { leader, other } = await leaderAndOther()
    const times: number[] = []
    const restarted = new AbortController()
    const writing = (async () => {
      for (let count = 0; !restarted.signal.aborted; count++) {
        await put(other, key, String(count))
        times.push(performance.now())
        await delay(5)
      }
    })()
    await delay(200)
    const { length } = leader.node.log()
    await leader.node.restart()
    restarted.abort()
    await writing
    const [, ended = ''] = /"stopping"([^]*?)"effective configuration"/.exec(leader.node.log().slice(length)) ?? []
    expect(ended).to.include('this node leads no longer; another one does')
    const gaps = times.map((time, index) => time - (times[index - 1] ?? time))
    expect(Math.max(...gaps)).to.be.lessThan(FAIL_OVER_MS)
  })

  it('shares a Kafka with another cluster, of which it sees nothing', async () => {
    const second = await startKetaCluster({ bootstrapServers: () => kafka.bootstrapServers, nodes: 1, name: 'two' })
    const client = new ApiClient(second.endpoints[0] ?? '')
    try {
      await put({ client }, key, 'of the second')
      expect(await valuesEverywhere(key)).to.deep.equal([undefined, undefined, undefined])
      expect((await client.call(Cluster.method.memberList, {})).members).to.have.length(1)
    } finally {
      client.close()
      await second.stop()
    }
  })

  async function logEnd(topic: string): Promise<number> {
    const admin = new Kafka({ brokers: kafka.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      return Number((await admin.fetchTopicOffsets(topic))[0]?.high)
    } finally {
      await admin.disconnect()
    }
  }
})

async function has({ events }: WatchReader, condition: (events: WatchReader['events']) => boolean): Promise<void> {
  const deadline = performance.now() + FAIL_OVER_MS
  while (!condition(events)) {
    if (performance.now() > deadline) throw new Error(`only these events have come: ${namesIn(events).join()}`)
    await delay(20)
  }
}

async function renewed(client: ApiClient, id: string): Promise<number> {
  const seconds = await keepAlive(client, id)
  if (seconds === undefined) throw new Error('a renewal was not answered')
  return seconds
}

function namesIn(events: WatchReader['events']): readonly string[] {
  return events.map(({ kv }) => toText(kv?.key ?? new Uint8Array()))
}

/** Tries until it succeeds. @throws its last error after so long */
async function eventually<T>(action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + FAIL_OVER_MS
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(50)
    }
  }
}
