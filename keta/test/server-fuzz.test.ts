/**
 * Thousands of random requests, most of them damaged, to every method of etcd's API: each is answered as etcd would
 * answer, none makes the server fail, and what came into the log is the same after a restart.
 */
import { type DescMethod, type DescMethodUnary, toBinary } from '@bufbuild/protobuf'
import type { ServiceError } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { rmSync } from 'node:fs'
import {
  AlarmRequest_AlarmAction,
  Auth,
  Cluster,
  KV,
  Lease,
  Maintenance,
  Watch,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { Health } from '../proto/gen/health/health_pb.js'
import { Election } from '../proto/gen/v3electionpb/v3election_pb.js'
import { Lock } from '../proto/gen/v3lockpb/v3lock_pb.js'
import { ApiClient, pathOf } from './api-client.fixture.ts'
import { type Random, seededRandom } from './differential/random.ts'
import { chosenSeed } from './kill-nine-harness.ts'
import { damaged, randomMessage } from './random-message.fixture.ts'
import { errorsOf, kill, serve, type Served, temporaryDirectory } from './served.fixture.ts'

const REQUESTS = process.env['KETA_SCALE'] === 'full' ? 200_000 : 8_000
const BATCH = 100
const STREAMED_MESSAGES = 20
const SERVICES = [KV, Watch, Lease, Cluster, Maintenance, Auth, Health, Election, Lock]
const METHODS: readonly DescMethod[] = SERVICES.flatMap((service): readonly DescMethod[] => service.methods)
/** More often than by lot: only what these write is in the log. */
const WRITING: readonly DescMethodUnary[] = [
  KV.method.put,
  KV.method.txn,
  KV.method.deleteRange,
  Lease.method.leaseGrant,
]

/** They wait for their turn, which may never come. */
const WAITING: readonly DescMethod[] = [Lock.method.lock, Election.method.campaign]
const WAITING_MS = 200
/** Refusals of users, locks and elections have no status in etcd either. */
const WITHOUT_STATUS = /^((auth|bcrypt|crypto\/bcrypt|election|mutex|etcdserver): |"leader" field must be provided)/

const REFUSALS: readonly number[] = [
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.DATA_LOSS,
]

describe('the server under random requests', () => {
  let directory: string
  let server: Served
  before(async () => {
    directory = temporaryDirectory('server-fuzz')
    server = await serve(directory)
  })
  after(async () => {
    await kill(server.process)
    rmSync(directory, { recursive: true, force: true })
  })

  const seed = chosenSeed()
  it(`refuses ${REQUESTS} damaged requests as etcd would, and stays whole (KETA_SEED=${seed})`, async function () {
    this.timeout(REQUESTS * 5 + 30_000)
    const random = seededRandom(seed)
    let client = new ApiClient(server.endpoint)
    const answers = { accepted: 0, refused: 0 }
    for (let count = 0; count < REQUESTS; count += BATCH) {
      const requests = Array.from({ length: BATCH }, () => request(client, random))
      for (const error of await Promise.all(requests)) answers[error === undefined ? 'accepted' : 'refused']++
      await disarm(client)
    }
    process.stdout.write(`      ${JSON.stringify(answers)}\n`)
    expect(answers.accepted).to.be.greaterThan(REQUESTS / 20)
    expect(errorsOf(server.process)).to.deep.equal([])

    const { header, hash } = await client.call(Maintenance.method.hashKV, {})
    client.close()
    await kill(server.process)
    server = await serve(directory)
    client = new ApiClient(server.endpoint)
    // Leases may have run out since, which makes revisions of its own.
    const again = await client.call(Maintenance.method.hashKV, { revision: header?.revision ?? 0n })
    client.close()
    expect(again.hash).to.equal(hash)
    expect(errorsOf(server.process)).to.deep.equal([])
  })
})

/** One random request, on a stream several. Gives the refusal. @throws if the answer is none that etcd would give */
async function request(client: ApiClient, random: Random): Promise<ServiceError | undefined> {
  const method = random.oneIn(3) ? random.pick(WRITING) : random.pick(METHODS)
  const isStream = method.methodKind !== 'unary'
  const message = (): Buffer => {
    const bytes = Buffer.from(toBinary(method.input, randomMessage(random, method.input)))
    // The first message that cannot be read ends a stream.
    const isWhole = isStream ? !random.oneIn(STREAMED_MESSAGES) : random.oneIn(3)
    return isWhole ? bytes : damaged(random, bytes)
  }
  if (isStream) {
    return converse(client, method, Array.from({ length: STREAMED_MESSAGES }, message))
  }
  const bytes = message()
  const waits = WAITING.includes(method)
  try {
    await client.raw(pathOf(method), bytes, waits ? WAITING_MS : undefined)
    return undefined
  } catch (error) {
    if (waits && (error as ServiceError).code === status.DEADLINE_EXCEEDED) return undefined
    return expectRefusal(error as ServiceError, `${pathOf(method)} ${bytes.toString('hex')}`)
  }
}

/** Sends the messages, and goes away; whatever ends the stream before must be a refusal. */
async function converse(
  client: ApiClient,
  method: DescMethod,
  messages: readonly Buffer[],
): Promise<ServiceError | undefined> {
  const stream = client.stream(method)
  const ended = new Promise<ServiceError | undefined>((resolve) => {
    stream.onMessage(() => undefined)
    stream.onEnd((_reason, error) => resolve(error))
  })
  for (const message of messages) stream.send(message)
  // An answer on the same connection, asked for afterwards: by then most of the messages have been dealt with.
  await client.call(KV.method.range, { key: Buffer.from('a'), countOnly: true })
  stream.close()
  const error = await ended
  if (error === undefined || error.code === status.CANCELLED) return undefined
  return expectRefusal(error, `${pathOf(method)} ${messages.map((bytes) => bytes.toString('hex')).join(' ')}`)
}

function expectRefusal(error: ServiceError, request: string): ServiceError {
  const { code, details } = error
  const isMalformed = code === status.INTERNAL && details.startsWith('grpc: error unmarshalling request: ')
  const hasNoStatus = code === status.UNKNOWN && WITHOUT_STATUS.test(details)
  if (REFUSALS.includes(code) || isMalformed || hasNoStatus) return error
  throw new Error(`${status[code]} "${details}" is the answer to ${request}`)
}

/** Alarms that a request has raised would make the server refuse all that follows. */
async function disarm(client: ApiClient): Promise<void> {
  const { alarms } = await client.call(Maintenance.method.alarm, {})
  for (const { memberID, alarm } of alarms) {
    await client.call(Maintenance.method.alarm, { action: AlarmRequest_AlarmAction.DEACTIVATE, memberID, alarm })
  }
}
