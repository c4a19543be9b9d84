/**
 * Plain requests as operations on registers, so that single keys are checked without being recorded twice: every key
 * that is only read, put, deleted, and compared-and-set by transactions of the usual shape.
 */
import type {
  CasAnswer,
  Compare,
  Expectation,
  History,
  KeyValue,
  KvAnswer,
  KvOperation,
  Outcome,
  RegisterCall,
  RegisterOperation,
  RegisterState,
  Request,
  Result,
  TxnRequest,
} from './history.ts'
import { isInRange, isWithin } from './timeline.ts'
import { isReadOnly, isSerializable, leavesOf, rangesOf } from './kv-model.ts'

/** A conditional write of one key. */
interface ConditionalWrite {
  readonly key: string
  readonly expect: Expectation
  readonly value: string | null
}

export function registersOf(history: History): readonly RegisterOperation[] {
  const operations = history.filter((record) => record.kind === 'kv')
  const excluded = excludedKeys(operations)
  return operations.flatMap((operation) => {
    const register = registerOf(operation)
    return register === undefined || excluded(register.key) ? [] : [register]
  })
}

/** Keys that something else may write too: what is seen of them here is not all. */
function excludedKeys(operations: readonly KvOperation[]): (key: string) => boolean {
  const ranges = operations
    .filter(({ request, outcome }) => outcome !== 'fail' && !isReadOnly(request))
    .filter((operation) => registerOf(operation) === undefined)
    .flatMap(({ request }) =>
      leavesOf(request)
        .filter((leaf) => !isReadOnly(leaf))
        .flatMap(rangesOf),
    )
  const leased = operations.flatMap(({ request }) =>
    leavesOf(request).flatMap((leaf) => (leaf.f === 'put' && leaf.lease !== undefined ? [leaf.key] : [])),
  )
  const single = new Set([...leased, ...ranges.flatMap(({ key, rangeEnd }) => (rangeEnd === undefined ? [key] : []))])
  const wide = ranges.filter(({ rangeEnd }) => rangeEnd !== undefined)
  const widest = wide.filter((one, index) => !wide.some((other, at) => at < index && isWithin(one, other)))
  return (key) => single.has(key) || widest.some((range) => isInRange(key, range))
}

function registerOf(operation: KvOperation): RegisterOperation | undefined {
  const { process, endpoint, invoke, return: end, request } = operation
  if (isSerializable(request)) return undefined
  const call = callOf(request, operation)
  return call && { kind: 'register', process, endpoint, invoke, return: end, ...call }
}

function callOf(request: Request, operation: KvOperation): (RegisterCall & { readonly key: string }) | undefined {
  switch (request.f) {
    case 'range':
      if (request.rangeEnd !== undefined || request.revision || request.countOnly) return undefined
      return {
        f: 'read',
        key: request.key,
        ...mapped(operation, ({ revision, result }) => ({ ...stateIn(result), revision })),
      }
    case 'put':
      return {
        f: 'write',
        key: request.key,
        value: request.value,
        ...mapped(operation, ({ revision }) => ({ revision })),
      }
    case 'delete':
      if (request.rangeEnd !== undefined) return undefined
      return { f: 'write', key: request.key, value: null, ...mapped(operation, ({ revision }) => ({ revision })) }
    case 'compact':
      return undefined
    case 'txn': {
      const write = conditionalWrite(request)
      return write && { f: 'cas', ...write, ...mapped(operation, (answer) => casAnswer(answer, request)) }
    }
  }
}

function conditionalWrite({ compare, success, failure }: TxnRequest): ConditionalWrite | undefined {
  const [condition] = compare
  const [write] = success
  const expect = condition && compare.length === 1 ? expectationOf(condition) : undefined
  if (condition === undefined || write === undefined || expect === undefined || success.length > 1) return undefined
  if (!failure.every((read) => read.f === 'range' && isPlainReadOf(read, condition.key))) return undefined
  if (write.f === 'put' && write.key === condition.key) return { key: write.key, expect, value: write.value }
  const isDelete = write.f === 'delete' && write.key === condition.key && write.rangeEnd === undefined
  return isDelete ? { key: write.key, expect, value: null } : undefined
}

function isPlainReadOf(read: Extract<Request, { readonly f: 'range' }>, key: string): boolean {
  return read.key === key && read.rangeEnd === undefined && !read.revision && !read.countOnly
}

function expectationOf({ target, result, to, rangeEnd }: Compare): Expectation | undefined {
  if (result !== '=' || rangeEnd !== undefined) return undefined
  if (target === 'mod' && typeof to === 'number') return { modRevision: to }
  return target === 'value' && typeof to === 'string' ? { value: to } : undefined
}

function casAnswer({ revision, result }: KvAnswer, { failure }: TxnRequest): CasAnswer {
  if (result.f !== 'txn') return { succeeded: false, revision }
  const [first] = result.results
  const observed = !result.succeeded && failure.length > 0 && first !== undefined ? stateIn(first) : undefined
  return { succeeded: result.succeeded, revision, ...(observed === undefined ? {} : { observed }) }
}

function stateIn(result: Result): RegisterState {
  const kv: KeyValue | undefined = result.f === 'range' ? result.kvs[0] : undefined
  return { value: kv?.value ?? null, modRevision: kv?.modRevision ?? 0 }
}

function mapped<T>(operation: Outcome<KvAnswer>, answer: (answer: KvAnswer) => T): Outcome<T> {
  if (operation.outcome === 'ok') return { outcome: 'ok', answer: answer(operation.answer) }
  const { outcome, error } = operation
  return { outcome, ...(error === undefined ? {} : { error }) }
}
