/**
 * Locks and elections: random owners stand in line on both servers, and leave it in every way that there is. What both
 * give to those who wait, and what both show to an observer, must be equal.
 *
 * Not sent: a candidate who loses its key while it waits. etcd elects it all the same; Keta does not.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { setTimeout as delay } from 'node:timers/promises'
import {
  KV,
  Lease,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  RangeRequestSchema,
  RangeResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { Election, LeaderRequestSchema, LeaderResponseSchema } from '../../proto/gen/v3electionpb/v3election_pb.js'
import { Lock } from '../../proto/gen/v3lockpb/v3lock_pb.js'
import { compareAnswers } from './compare.ts'
import type { Answer, RawStream } from './connection.ts'
import { type Pair, pathOf } from './pair.ts'
import type { Session } from './session.ts'

const LEASES: readonly bigint[] = [5001n, 5002n, 5003n, -5004n, 5005n]
const NAMES = ['l', '', 'ключ', 'a/'].map((name) => Buffer.from(name))
const TIMEOUT_MS = 15_000

interface Owner {
  readonly lease: bigint
  /** Its key is gone while it waits. */
  lost: boolean
  /** Compares what both servers answer at last. */
  readonly settle: () => Promise<void>
}

export async function locks({ pair, random }: Session, requests: number): Promise<void> {
  const last = pair.requests + requests
  const lines = NAMES.map((): Owner[] => [])
  await grant(pair, LEASES)
  while (pair.requests < last) {
    const at = random.below(NAMES.length)
    const [name, line] = [NAMES[at], lines[at]]
    if (name === undefined || line === undefined) throw new Error('a name has no line')
    const lease = random.pick(LEASES)
    const message = create(Lock.method.lock.input, { name, lease })
    const standing = line.findIndex((owner) => owner.lease === lease)
    if (standing === 0) await pair.call(Lock.method.lock, message)
    else if (standing === -1) line.push(await enter(pair, Lock.method.lock, message, keyOf(name, lease), line))
    if (line.length > 1 && random.oneIn(8)) await lose(pair, name, random.pick(line.slice(1)))
    while (line.length > 0 && random.oneIn(2)) {
      const key = keyOf(name, line[0]?.lease ?? 0n)
      await pair.call(Lock.method.unlock, create(Lock.method.unlock.input, { key }))
      await next(line)
    }
    if (random.oneIn(10)) {
      await pair.call(Lock.method.lock, create(Lock.method.lock.input, { name: Buffer.from('none'), lease: 4999n }))
      await pair.call(Lock.method.unlock, create(Lock.method.unlock.input, { key: name }))
    }
  }
  // From the last to the first: else a turn that comes would race with the loss of the key that it comes to.
  for (const [at, name] of NAMES.entries()) {
    for (const owner of lines[at]?.slice(1).reverse() ?? []) await lose(pair, name, owner)
  }
  for (const lease of LEASES) await pair.call(Lease.method.leaseRevoke, create(LeaseRevokeRequestSchema, { ID: lease }))
  for (const line of lines) for (const owner of line.slice(1)) await owner.settle()
}

export async function elections({ pair, random }: Session, requests: number): Promise<void> {
  const last = pair.requests + requests
  const { campaign, proclaim, leader, resign } = Election.method
  const name = Buffer.from('elected')
  const line: Owner[] = []
  let draws = 0
  const value = (): Buffer => Buffer.from(`value ${draws++}`)
  await grant(pair, LEASES)
  const observers = new ObserverPair(pair, name)
  while (pair.requests < last) {
    const lease = random.pick(LEASES)
    const standing = line.findIndex((owner) => owner.lease === lease)
    const message = create(campaign.input, { name, lease, value: value() })
    if (standing === 0) await pair.call(campaign, message)
    else if (standing === -1) line.push(await enter(pair, campaign, message, keyOf(name, lease), line))
    if (standing === 0 || line.length === 1) await observers.see(1)
    const found = await pair.call(leader, create(leader.input, { name }))
    const key = found?.kv?.key ?? Buffer.alloc(0)
    const claim = { name, key, rev: found?.kv?.createRevision ?? 0n, lease: line[0]?.lease ?? 1n }
    if (random.oneIn(3)) {
      await pair.call(proclaim, create(proclaim.input, { leader: claim, value: value() }))
      await observers.see(1)
    }
    if (random.oneIn(6)) {
      const stale = { ...claim, rev: claim.rev + 1n }
      await pair.call(proclaim, create(proclaim.input, { leader: stale, value: value() }))
      await pair.call(resign, create(resign.input, { leader: stale }))
      await pair.call(proclaim, create(proclaim.input, {}))
      await pair.call(resign, create(resign.input, {}))
      await pair.call(campaign, create(campaign.input, { name, lease: 4999n }))
    }
    if (random.oneIn(2)) {
      await pair.call(resign, create(resign.input, { leader: claim }))
      await next(line)
      await observers.see(line.length > 0 ? 1 : 0)
    }
    if (line.length === 0) await pair.call(leader, create(leader.input, { name }))
  }
  observers.close()
  for (const { lease } of [...line].reverse()) {
    const key = keyOf(name, lease)
    await pair.call(KV.method.deleteRange, create(KV.method.deleteRange.input, { key }))
  }
  for (const lease of LEASES) await pair.call(Lease.method.leaseRevoke, create(LeaseRevokeRequestSchema, { ID: lease }))
}

async function grant(pair: Pair, leases: readonly bigint[]): Promise<void> {
  for (const ID of leases) await pair.call(Lease.method.leaseGrant, create(LeaseGrantRequestSchema, { ID, TTL: 3600n }))
}

/** The key of a waiter, who hears of it only when its turn would have come. */
async function lose(pair: Pair, name: Buffer, owner: Owner): Promise<void> {
  owner.lost = true
  await pair.call(KV.method.deleteRange, create(KV.method.deleteRange.input, { key: keyOf(name, owner.lease) }))
}

/** The first of the line has left it. */
async function next(line: Owner[]): Promise<void> {
  line.shift()
  for (let head = line[0]; head !== undefined; head = line[0]) {
    await head.settle()
    if (!head.lost) return
    line.shift()
  }
}

/** A call that may wait: returns when its key is there on both servers, or when it is answered if nobody is before. */
async function enter<I extends DescMessage>(
  pair: Pair,
  method: DescMethodUnary<I>,
  message: MessageShape<I>,
  key: Buffer,
  line: readonly Owner[],
): Promise<Owner> {
  const lease = (message as { readonly lease?: bigint }).lease ?? 0n
  if (line.length === 0) {
    await pair.call(method, message)
    return { lease, lost: false, settle: () => Promise.resolve() }
  }
  pair.note(`${method.name} by ${lease}, who waits`)
  const answers = pair.send(pathOf(method), toBinary(method.input, message))
  const request = toBinary(RangeRequestSchema, create(RangeRequestSchema, { key }))
  await holds(async () => (await pair.send('/etcdserverpb.KV/Range', request)).every(hasKey))
  await pair.call(KV.method.range, create(RangeRequestSchema, { key }))
  const settle = async (): Promise<void> => {
    const [left, right] = await answers
    pair.expectNone(compareAnswers(method.output, left, right, pair.names))
  }
  return { lease, lost: false, settle }
}

function hasKey(answer: Answer): boolean {
  return answer.ok && fromBinary(RangeResponseSchema, answer.bytes).count > 0n
}

/** Whether it comes to hold in time. */
async function holds(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + TIMEOUT_MS
  while (!(await condition())) {
    if (performance.now() > deadline) return false
    await delay(1)
  }
  return true
}

function keyOf(name: Buffer, lease: bigint): Buffer {
  return Buffer.concat([name, Buffer.from(`/${lease.toString(16)}`)])
}

/** Election.Observe on both servers, compared sighting by sighting. */
class ObserverPair {
  readonly #pair: Pair
  readonly #seen: readonly [Uint8Array[], Uint8Array[]] = [[], []]
  readonly #streams: readonly RawStream[]
  #ended: string | undefined

  constructor(pair: Pair, name: Buffer) {
    this.#pair = pair
    this.#streams = ([pair.left, pair.right] as const).map((connection, side) => {
      const stream = connection.stream('/v3electionpb.Election/Observe', {
        onMessage: (bytes) => this.#seen[side]?.push(bytes),
        onEnd: (reason) => (this.#ended ??= `${connection.name} ended Observe: ${reason}`),
      })
      stream.send(toBinary(LeaderRequestSchema, create(LeaderRequestSchema, { name })))
      stream.halfClose()
      return stream
    })
  }

  /** Waits for exactly so many more, on both sides. */
  async see(count: number): Promise<void> {
    const [left, right] = this.#seen
    const enough = (): boolean => this.#ended !== undefined || (left.length >= count && right.length >= count)
    if (!(await holds(enough))) this.#pair.expectNone(`Observe: ${left.length} and ${right.length} instead of ${count}`)
    this.#pair.expectNone(this.#ended)
    if (left.length !== count || right.length !== count) {
      this.#pair.expectNone(`Observe: ${left.length} and ${right.length} sightings where ${count} were due`)
    }
    for (let i = 0; i < count; i++) {
      const schema = LeaderResponseSchema
      const [a, b] = [left.shift() ?? new Uint8Array(), right.shift() ?? new Uint8Array()]
      this.#pair.compare(schema, fromBinary(schema, a), fromBinary(schema, b))
    }
  }

  close(): void {
    for (const stream of this.#streams) stream.close()
  }
}
