/** What followers hand on: the bytes of their clients, for the leader to read, and its answer as it is. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { PeerRequest } from '../cluster/peers.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { TestCluster, type TestNode } from '../engine/cluster.fixture.ts'
import {
  PutRequestSchema,
  PutResponseSchema,
  type RequestOpSchema,
  TxnRequestSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { decodeRequest } from '../transport/failures.ts'
import type { RpcError, ServiceTable } from '../transport/transport.ts'
import { createServices } from './services.ts'
import { refusalOf, Switch, TestCall, utf8 } from './test-client.fixture.ts'

const CREDENTIALS: Credentials = {
  passwords: { hash: () => Promise.resolve(''), matches: () => Promise.resolve(false) },
}
const LEADER = 1
const FOLLOWER = 2
/** A field of bytes that says it is longer than the message. */
const CUT_OFF = Buffer.from('0aff', 'hex')
const GET: MessageInitShape<typeof RequestOpSchema> = { request: { case: 'requestRange', value: { key: utf8('a') } } }
const PUT: MessageInitShape<typeof RequestOpSchema> = { request: { case: 'requestPut', value: { key: utf8('a') } } }

describe('requests for the leader', () => {
  let cluster: TestCluster
  let services: ServiceTable[]
  /** What the follower has had the leader answer. */
  let forwarded: Extract<PeerRequest, { kind: 'forward' }>[]
  let answers: Uint8Array[]

  beforeEach(async () => {
    forwarded = []
    answers = []
    cluster = await TestCluster.of(2)
    services = cluster.nodes.map(serve)
  })

  afterEach(async () => {
    await cluster.stop()
    expect(cluster.errors).to.deep.equal([])
  })

  function serve(node: TestNode): ServiceTable {
    const random = (count: number) => new Uint8Array(count).fill(1)
    const options = { version: '3.6.16', readiness: new Switch(), random, credentials: CREDENTIALS }
    const { peerHandler, table } = createServices(node.engine, options)
    node.handler = {
      async handle(request) {
        if (request.kind === 'forward') forwarded.push(request)
        const response = await peerHandler.handle(request)
        if (response.kind === 'answer') answers.push(response.body)
        return response
      },
    }
    return table
  }

  /** As a transport calls it. @param path "KV/Put" */
  async function ask(node: number, path: string, body: Uint8Array): Promise<Uint8Array> {
    const [service = '', name = ''] = path.split('/')
    const method = services[node - 1]?.get(`etcdserverpb.${service}`)?.get(name)
    if (method?.kind !== 'unary') throw new Error(`there is no ${path}`)
    return method.encode(await method.handle(decodeRequest(method, body), new TestCall()))
  }

  function run(node: number, path: string, body: Uint8Array): Promise<Uint8Array> {
    const answer = ask(node, path, body)
    // What it rejects with is seen by whoever waits, later.
    answer.catch(() => undefined)
    return cluster.run(answer)
  }

  const putOf = (key: string) => toBinary(PutRequestSchema, create(PutRequestSchema, { key: utf8(key) }))
  const memberOf = (answer: Uint8Array) => fromBinary(PutResponseSchema, answer).header?.memberId
  const txnOf = (...success: MessageInitShape<typeof RequestOpSchema>[]) =>
    toBinary(TxnRequestSchema, create(TxnRequestSchema, { success }))

  it('reach it in the memory in which they came, with what the follower does not know', async () => {
    await cluster.assign(LEADER)
    const later = new ProtoWriter()
    later.stringField(99, 'of a later client')
    const body = Buffer.concat([putOf('a'), later.finish()])
    const answer = await run(FOLLOWER, 'KV/Put', body)
    expect(forwarded.map(({ method }) => method)).to.deep.equal(['etcdserverpb.KV/Put'])
    expect(forwarded[0]?.body).to.equal(body)
    expect(memberOf(answer)).to.equal(2n)
    expect(memberOf(answers[0] ?? answer)).to.equal(1n)
  })

  const UNREADABLE = '13: grpc: error unmarshalling request: '
  const ROUTED: readonly string[] = [
    ...['KV/Put', 'KV/DeleteRange', 'KV/Txn', 'KV/Compact', 'Lease/LeaseGrant', 'Lease/LeaseRevoke'],
    ...['Lease/LeaseTimeToLive', 'Lease/LeaseLeases', 'Maintenance/Alarm'],
  ]
  for (const [path, body, refusal] of [
    ...ROUTED.map((path) => [path, CUT_OFF, UNREADABLE] as const),
    ['KV/Put', Buffer.from('0a0161' + '1801' + '2aff', 'hex'), UNREADABLE] as const,
    ['KV/Put', Buffer.from('2001', 'hex'), '3: etcdserver: key is not provided'] as const,
    ['KV/Put', putOf('a'.repeat(2_000_000)), '3: etcdserver: request is too large'] as const,
    ['KV/Txn', nested(201), '3: etcdserver: too many operations in txn request'] as const,
    ['KV/Txn', txnOf(PUT, PUT), '3: etcdserver: duplicate key given in txn request'] as const,
  ]) {
    it(`are refused alike by both: ${path} of ${body.length} bytes, ${refusal}`, async () => {
      await cluster.assign(LEADER)
      const byLeader = await refusalOf(run(LEADER, path, body))
      expect(byLeader).to.include(refusal)
      expect(await refusalOf(run(FOLLOWER, path, body))).to.equal(byLeader)
      expect(forwarded).to.have.length(1)
      expect(cluster.nodes.map(({ engine }) => engine.revision)).to.deep.equal([1, 1])
    })
  }

  it('are refused in a stream as by themselves', async () => {
    await cluster.assign(LEADER)
    const failures: RpcError[] = []
    for (const table of services) {
      const method = table.get('etcdserverpb.Lease')?.get('LeaseKeepAlive')
      if (method?.kind !== 'stream') throw new Error('there is no LeaseKeepAlive')
      const fail = (error: unknown) => void failures.push(error as RpcError)
      const out = { send: () => true, end: () => undefined, fail }
      await cluster.run(Promise.resolve(method.open(out, new TestCall()).message(decodeRequest(method, CUT_OFF))))
    }
    const [byLeader, byFollower] = failures.map(({ status, message }) => `${status}: ${message}`)
    expect(byLeader).to.include(UNREADABLE)
    expect(byFollower).to.equal(byLeader)
  })

  it('are not for the leader if they only read', async () => {
    await cluster.assign(LEADER)
    await run(FOLLOWER, 'KV/Txn', txnOf(GET, GET))
    // Alarm: which are there?
    await run(FOLLOWER, 'Maintenance/Alarm', Buffer.alloc(0))
    expect(forwarded).to.have.length(0)
    await run(FOLLOWER, 'KV/Txn', txnOf(GET, PUT))
    expect(forwarded).to.have.length(1)
  })

  it('are read by the node itself that they waited in, if it comes to lead', async () => {
    const [answer, refusal] = [ask(FOLLOWER, 'KV/Put', putOf('a')), refusalOf(ask(FOLLOWER, 'KV/Put', CUT_OFF))]
    await cluster.assign(FOLLOWER)
    expect(memberOf(await cluster.run(answer))).to.equal(2n)
    expect(await refusal).to.include(UNREADABLE)
    expect(forwarded).to.have.length(0)
  })

  it('that the leader has no method for have an unknown outcome', async () => {
    await cluster.assign(LEADER)
    const request = { kind: 'forward', method: 'etcdserverpb.KV/Range', body: putOf('a'), metadata: new Map() } as const
    const outcome = await cluster.node(LEADER).handle(request).then(undefined, String)
    expect(outcome).to.include('which is not a request for the leader')
  })

  /** A transaction in a transaction, and so on. */
  function nested(depth: number): Uint8Array {
    let txn: Buffer = Buffer.alloc(0)
    for (let level = 1; level < depth; level++) {
      const operation = new ProtoWriter(txn.length + 16)
      operation.messageField(4, txn)
      const outer = new ProtoWriter(txn.length + 32)
      outer.messageField(2, operation.finish())
      txn = outer.finish()
    }
    return txn
  }
})
