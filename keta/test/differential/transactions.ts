/** Random transactions: every compare, every operation, nesting, and the limits. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  CompareSchema,
  type DeleteRangeRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
  RequestOpSchema,
  type TxnRequest,
  TxnRequestSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { anyKey, anyKeyOrNone, anyLease, anyRange, anyValue, freshKeys, someRevision } from './choices.ts'
import type { World } from './pair.ts'
import type { Random } from './random.ts'
import { deleteRequest, enumValue, putRequest, rangeRequest } from './requests.ts'

type Target = NonNullable<MessageInitShape<typeof CompareSchema>['targetUnion']>

const DEEPEST = 3
/** The limit of operations in a branch. */
const MOST = 128
const NUL = Buffer.from([0])

export function txnRequest(random: Random, world: World, depth = 0): TxnRequest {
  const compares = random.weighted([
    [3, 0],
    [6, 1],
    [3, 2],
    [1, 5],
  ])
  return create(TxnRequestSchema, {
    compare: repeat(compares, () => anyCompare(random, world)),
    success: anyBranch(random, world, depth),
    failure: anyBranch(random, world, depth),
  })
}

/** Only ranges at the top level: these don't go through the log. */
export function readOnlyTxn(random: Random, world: World): TxnRequest {
  const ranges = (): RequestOp[] => repeat(random.below(4), () => rangeOp(random, world))
  const compare = repeat(random.below(3), () => anyCompare(random, world))
  return create(TxnRequestSchema, { compare, success: ranges(), failure: ranges() })
}

/** Around the limit of operations, flat or divided between a transaction and one in it. */
export function hugeTxn(random: Random): TxnRequest {
  const puts = (keys: readonly Buffer[]): RequestOp[] =>
    keys.map((key) => op({ case: 'requestPut', value: { key, value: anyValue(random) } }))
  const keys = freshKeys(MOST + 1)
  const size = MOST - 1 + random.below(3)
  if (random.oneIn(2)) return create(TxnRequestSchema, { success: puts(keys.slice(0, size)) })
  const inner = create(TxnRequestSchema, { success: puts(keys.slice(0, size - MOST / 2)) })
  const outer = puts(keys.slice(MOST / 2 + 1).slice(0, MOST / 2 - 1))
  return create(TxnRequestSchema, { success: [...outer, op({ case: 'requestTxn', value: inner })] })
}

/** Deletes of any range, which may overlap. */
export function deletesOnlyTxn(random: Random): TxnRequest {
  const deletes = repeat(1 + random.below(3), () => op({ case: 'requestDeleteRange', value: deleteRequest(random) }))
  const inner = create(TxnRequestSchema, { success: deletes })
  return create(TxnRequestSchema, { success: [...deletes, op({ case: 'requestTxn', value: inner })] })
}

function anyBranch(random: Random, world: World, depth: number): RequestOp[] {
  const size = random.weighted([
    [3, 0],
    [6, 1],
    [5, 2],
    [3, 3],
    [1, 8],
  ])
  return repeat(size, () => anyOp(random, world, depth))
}

function anyOp(random: Random, world: World, depth: number): RequestOp {
  return random.weighted<() => RequestOp>([
    [8, () => op({ case: 'requestPut', value: putInTxn(random, world) })],
    [5, () => rangeOp(random, world)],
    [4, () => op({ case: 'requestDeleteRange', value: boundedDelete(random) })],
    [depth < DEEPEST ? 2 : 0, () => op({ case: 'requestTxn', value: txnRequest(random, world, depth + 1) })],
    [random.oneIn(30) ? 1 : 0, () => create(RequestOpSchema)],
  ])()
}

/**
 * Without the end that means "no end", as a put in the same transaction can make etcd lose data: see `exceptions.ts`.
 */
function boundedDelete(random: Random): DeleteRangeRequest {
  const request = deleteRequest(random)
  if (Buffer.compare(request.rangeEnd, NUL) === 0) request.rangeEnd = new Uint8Array()
  return request
}

/** Mostly puts that are not refused: one refusal refuses the whole transaction. */
function putInTxn(random: Random, world: World) {
  return random.oneIn(4) ? putRequest(random, world) : { key: anyKey(random), value: anyValue(random) }
}

function rangeOp(random: Random, world: World): RequestOp {
  const request = rangeRequest(random, world)
  if (!random.oneIn(4)) request.revision = 0n
  if (!random.oneIn(20)) makeValid(request)
  return op({ case: 'requestRange', value: request })
}

/** An invalid option refuses the whole transaction. */
function makeValid(request: RangeRequest): void {
  if (!(request.sortOrder in RangeRequest_SortOrder)) request.sortOrder = RangeRequest_SortOrder.NONE
  if (!(request.sortTarget in RangeRequest_SortTarget)) request.sortTarget = RangeRequest_SortTarget.KEY
}

function anyCompare(random: Random, world: World): Compare {
  const target = enumValue(random, Compare_CompareTarget)
  const range = random.oneIn(4) ? anyRange(random) : { key: anyKeyOrNone(random) }
  return create(CompareSchema, {
    result: enumValue(random, Compare_CompareResult),
    target,
    ...range,
    targetUnion: targetUnion(random, world, random.oneIn(15) ? random.below(6) : target),
  })
}

/** The operand that belongs to the target; a compare may also carry another or none. */
function targetUnion(random: Random, world: World, target: number): Target {
  const revision = random.oneIn(4) ? 0n : someRevision(random, world)
  switch (target) {
    case 0:
      return { case: 'version', value: BigInt(random.below(4)) }
    case 1:
      return { case: 'createRevision', value: revision }
    case 2:
      return { case: 'modRevision', value: revision }
    case 3:
      return { case: 'value', value: anyValue(random) }
    case 4:
      return { case: 'lease', value: random.oneIn(2) ? 0n : anyLease(random, world) }
    default:
      return { case: undefined }
  }
}

function op(request: NonNullable<MessageInitShape<typeof RequestOpSchema>['request']>): RequestOp {
  return create(RequestOpSchema, { request })
}

function repeat<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}
