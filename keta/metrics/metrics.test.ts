import { expect } from 'chai'

import type { Engine } from '../engine/api.ts'
import type { Applied } from '../state/state.ts'
import { type Call, type Method, RpcError, STATUS, stream, unary } from '../transport/transport.ts'
import { EngineCounts } from './engine-counts.ts'
import { exposition, type Family } from './exposition.ts'
import { exponentialBounds, Histogram } from './histogram.ts'
import { nodeMetrics } from './node-metrics.ts'
import { PeerCounts } from './peer-metrics.ts'
import { processMetrics } from './process-metrics.ts'
import { rpcMetrics } from './rpc-metrics.ts'

const CALL: Call = { metadata: () => undefined, peer: 'test', onClosed: () => undefined }

/** The value of a sample: "name" or 'name{label="value"}'. */
function valueOf(families: readonly Family[], sample: string): number {
  const line = exposition(families)
    .split('\n')
    .find((text) => text.startsWith(`${sample} `))
  return Number(line?.slice(sample.length + 1))
}

describe('metrics', () => {
  it('are written in the text format, in the order of their names', () => {
    const histogram = new Histogram(exponentialBounds(0.001, 2, 2))
    for (const value of [0.001, 0.0015, 7]) histogram.observe(value)
    const families: Family[] = [
      { name: 'b', help: 'A distribution.', type: 'histogram', collect: () => histogram },
      { name: 'a', help: 'Odd.', type: 'gauge', collect: () => [{ labels: { x: 'q"\\\n' }, value: -Infinity }] },
      { name: 'c', help: 'Not there.', type: 'gauge', collect: () => [] },
    ]
    expect(exposition(families)).to.equal(
      '# HELP a Odd.\n# TYPE a gauge\na{x="q\\"\\\\\\n"} -Inf\n' +
        '# HELP b A distribution.\n# TYPE b histogram\n' +
        'b_bucket{le="0.001"} 1\nb_bucket{le="0.002"} 2\nb_bucket{le="+Inf"} 3\nb_sum 7.0025\nb_count 3\n',
    )
  })

  describe('of calls', () => {
    const asIs = (bytes: Uint8Array): Uint8Array => bytes
    let answer: () => Uint8Array | Promise<Uint8Array>
    const put = unary<Uint8Array, Uint8Array>({ decode: asIs, encode: asIs, handle: () => answer() })
    const labels = 'grpc_method="Put",grpc_service="s.KV",grpc_type="unary"'
    let now = 0
    const measured = (method: Method = put, name = 'Put') => {
      const { services, families } = rpcMetrics(new Map([['s.KV', new Map([[name, method]])]]), () => now)
      return { families, counted: services.get('s.KV')!.get(name)! }
    }

    it('count messages, bytes, and ends by their status', async () => {
      const { families, counted } = measured()
      if (counted.kind !== 'unary') return expect.fail('not unary')
      const call = async (): Promise<void> => {
        const response = await counted.handle(counted.decode(Buffer.from('12345')), CALL)
        counted.encode(response)
      }
      answer = () => Buffer.from('123')
      await call()
      answer = () => Promise.resolve(Buffer.from('1'))
      await call()
      for (const error of [new RpcError(STATUS.NOT_FOUND, 'x'), new TypeError('y')]) {
        answer = () => {
          throw error
        }
        await call().catch(() => undefined)
        answer = () => Promise.reject(error)
        await call().catch(() => undefined)
      }
      expect(valueOf(families, `grpc_server_started_total{${labels}}`)).to.equal(6)
      expect(valueOf(families, `grpc_server_handled_total{grpc_code="OK",${labels}}`)).to.equal(2)
      expect(valueOf(families, `grpc_server_handled_total{grpc_code="NotFound",${labels}}`)).to.equal(2)
      expect(valueOf(families, `grpc_server_handled_total{grpc_code="Internal",${labels}}`)).to.equal(2)
      expect(valueOf(families, `grpc_server_handled_total{grpc_code="DataLoss",${labels}}`)).to.equal(0)
      expect(valueOf(families, `grpc_server_msg_received_total{${labels}}`)).to.equal(6)
      expect(valueOf(families, 'etcd_network_client_grpc_received_bytes_total')).to.equal(30)
      expect(valueOf(families, 'etcd_network_client_grpc_sent_bytes_total')).to.equal(4)
      expect(valueOf(families, `grpc_server_handling_seconds_count{${labels}}`)).to.equal(6)
    })

    it('measure durations until the answer', async () => {
      const { families, counted } = measured()
      if (counted.kind !== 'unary') return expect.fail('not unary')
      let finish: (bytes: Uint8Array) => void = () => undefined
      answer = () =>
        new Promise((resolve) => {
          finish = resolve
        })
      const pending = counted.handle(counted.decode(Buffer.alloc(0)), CALL)
      now += 2
      finish(Buffer.alloc(0))
      await pending
      await Promise.resolve()
      expect(valueOf(families, `grpc_server_handling_seconds_sum{${labels}}`)).to.equal(2)
    })

    it('count a stream once, by who ended it', () => {
      const ends: ((error?: RpcError) => void)[] = []
      const watch = stream<Uint8Array, Uint8Array>({
        decode: asIs,
        encode: asIs,
        open(out) {
          ends.push((error) => (error === undefined ? out.end() : out.fail(error)))
          return {
            message: () => undefined,
            halfClosed: () => undefined,
            drained: () => undefined,
            closed: () => undefined,
          }
        },
      })
      const { families, counted } = measured(watch, 'Observe')
      if (counted.kind !== 'stream') return expect.fail('not a stream')
      const out = { send: () => true, end: () => undefined, fail: () => undefined }
      const open = () => counted.open(out, CALL)
      const handlers = [open(), open(), open()]
      ends[0]?.()
      ends[1]?.(new RpcError(STATUS.UNAVAILABLE, 'x'))
      for (const handler of handlers) handler.closed()
      const of = 'grpc_method="Observe",grpc_service="s.KV",grpc_type="server_stream"'
      for (const code of ['OK', 'Unavailable', 'Canceled']) {
        expect(valueOf(families, `grpc_server_handled_total{grpc_code="${code}",${of}}`), code).to.equal(1)
      }
    })
  })

  it('of the node count changes of the leader that it sees, and what the engine tells', () => {
    let listener: () => void = () => undefined
    const engine = {
      identity: { clusterId: 1n, memberId: 255n, name: 'x' },
      leaderId: 0n,
      onLeaderChange(told: () => void) {
        listener = told
        return () => undefined
      },
    }
    const counts = new EngineCounts()
    const { families } = nodeMetrics({ engine: engine as unknown as Engine, counts, version: '3.6.16' })
    const value = (name: string): number => {
      return valueOf(
        families.filter((family) => name.startsWith(family.name)),
        name,
      )
    }
    expect(value('etcd_server_has_leader')).to.equal(0)
    for (const leaderId of [1n, 1n, 0n, 1n, 2n]) {
      engine.leaderId = leaderId
      listener()
    }
    expect(value('etcd_server_leader_changes_seen_total')).to.equal(2)
    expect(value('etcd_server_has_leader')).to.equal(1)
    expect(value('etcd_cluster_version{cluster_version="3.6"}')).to.equal(1)
    expect(value('etcd_server_id{server_id="ff"}')).to.equal(1)
    counts.appended(3, 100, 4)
    expect(value('etcd_disk_wal_fsync_duration_seconds_sum')).to.equal(0.004)
    expect(value('keta_log_appended_records_total')).to.equal(3)
    const events = [1, 0, 5].map((version) => ({ version: { version, encodedLength: 10 } }))
    const applied = { status: 'applied', command: { kind: 'txn' }, failure: undefined, commit: { revision: 2, events } }
    counts.applied(applied as unknown as Applied)
    counts.applied({ status: 'ignored', reason: 'duplicate' })
    expect(value('etcd_mvcc_put_total')).to.equal(2)
    expect(value('etcd_mvcc_delete_total')).to.equal(1)
    expect(value('etcd_mvcc_txn_total')).to.equal(1)
    expect(value('keta_log_ignored_records_total')).to.equal(1)
  })

  it('of links to other nodes count for each node', () => {
    const counts = new PeerCounts()
    const families = counts.families(255n)
    expect(exposition(families)).to.equal('')
    const [one, other] = [counts.of(16n), counts.of(17n)]
    expect(counts.of(16n)).to.equal(one)
    for (const link of [one, one, other]) link.connected()
    for (const link of [one, other]) link.disconnected()
    one.sent(3)
    one.sent(4)
    one.received(5)
    one.failed()
    one.roundTrip(1.5)
    const values = {
      'etcd_network_active_peers{Local="ff",Remote="10"}': 1,
      'etcd_network_active_peers{Local="ff",Remote="11"}': 0,
      'etcd_network_disconnected_peers_total{Local="ff",Remote="11"}': 1,
      'etcd_network_peer_sent_bytes_total{To="10"}': 7,
      'etcd_network_peer_received_bytes_total{From="10"}': 5,
      'etcd_network_peer_sent_failures_total{To="10"}': 1,
      'etcd_network_peer_round_trip_time_seconds_bucket{To="10",le="0.0008"}': 0,
      'etcd_network_peer_round_trip_time_seconds_bucket{To="10",le="0.0016"}': 1,
    }
    for (const [sample, value] of Object.entries(values)) expect(valueOf(families, sample), sample).to.equal(value)
  })

  it('of the process have values', () => {
    const { families, stop } = processMetrics()
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'go_memstats_alloc_bytes']) {
      expect(valueOf(families, name), name).to.be.above(0)
    }
    stop()
  })
})
