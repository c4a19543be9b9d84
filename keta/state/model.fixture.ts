/**
 * For tests: the meaning of commands written down a second time, in the plainest way: the whole key space is copied for
 * every revision. Refusals, answers and the state after each command are compared with the real state machine's.
 */
import { contains, EMPTY_KEY, isEmptyRange, type Key, rangeOf } from '../bytes/key.ts'
import type { Command } from '../command/command.ts'
import type {
  Compare,
  DeleteRangeOperation,
  PutOperation,
  RangeOperation,
  RequestOperation,
  TxnOperation,
} from '../command/operations.ts'
import type { Plain } from './replica.fixture.ts'

interface Row {
  readonly value: string
  readonly create: number
  readonly mod: number
  readonly version: number
  readonly lease: bigint
}

type Keys = ReadonlyMap<Key, Row>

class Refusal extends Error {}

export class Model {
  /** Index = revision. */
  history: Keys[] = [new Map(), new Map()]
  compacted = -1
  readonly leases = new Map<bigint, number>()
  readonly alarms = new Set<number>()
  /** The key space as the command in hand has changed it so far; undefined = not at all. */
  #changed: Map<Key, Row> | undefined

  get revision(): number {
    return this.history.length - 1
  }

  get keys(): Keys {
    return this.#changed ?? this.history[this.revision] ?? new Map()
  }

  /** The answer in plain values, or the code of the refusal. */
  run(command: Command): Plain {
    this.#changed = undefined
    try {
      const answer = this.#execute(command)
      this.#keepChanges()
      return answer
    } catch (error) {
      if (error instanceof Refusal) return error.message
      throw error
    } finally {
      this.#changed = undefined
    }
  }

  attachedKeys(id: bigint): readonly Key[] {
    return [...this.keys]
      .filter(([, row]) => row.lease === id)
      .map(([key]) => key)
      .sort()
  }

  get #now(): number {
    return this.revision + (this.#changed === undefined ? 0 : 1)
  }

  #execute(command: Command): Plain {
    if (command.kind !== 'alarm' && this.alarms.has(2)) throw new Refusal('CORRUPT')
    if (this.alarms.has(1) && wantsSpace(command)) throw new Refusal('NO_SPACE')
    switch (command.kind) {
      case 'put':
        this.#checkLease(command)
        this.#checkCurrent(command)
        return this.#put(command)
      case 'deleteRange':
        return this.#delete(command)
      case 'txn': {
        const path = this.#path(command)
        this.#check(path)
        return this.#runPath(path)
      }
      case 'compact':
        if (command.revision <= this.compacted) throw new Refusal('COMPACTED')
        if (command.revision > this.revision) throw new Refusal('FUTURE_REVISION')
        this.compacted = command.revision
        return {}
      case 'leaseGrant':
        if (command.id === 0n) throw new Refusal('LEASE_NOT_FOUND')
        if (command.ttl > 9e9) throw new Refusal('LEASE_TTL_TOO_LARGE')
        if (this.leases.has(command.id)) throw new Refusal('LEASE_EXISTS')
        this.leases.set(command.id, command.ttl)
        return { id: Number(command.id), ttl: command.ttl }
      case 'leaseRevoke':
        if (!this.leases.has(command.id)) throw new Refusal('LEASE_NOT_FOUND')
        for (const key of this.attachedKeys(command.id)) this.#change().delete(key)
        this.leases.delete(command.id)
        return {}
      case 'alarm': {
        const answered = command.action === 'activate' || this.alarms.has(command.alarm)
        if (command.action === 'activate') this.alarms.add(command.alarm)
        else this.alarms.delete(command.alarm)
        return answered ? [`${command.memberId}:${command.alarm}`] : []
      }
      case 'auth':
        throw new Error('auth has a model of its own')
    }
  }

  #change(): Map<Key, Row> {
    this.#changed ??= new Map(this.keys)
    return this.#changed
  }

  #checkLease({ lease }: PutOperation): void {
    if (lease !== 0n && !this.leases.has(lease)) throw new Refusal('LEASE_NOT_FOUND')
  }

  #checkCurrent({ key, ignoreLease, ignoreValue }: PutOperation): void {
    if ((ignoreLease || ignoreValue) && !this.keys.has(key)) throw new Refusal('KEY_NOT_FOUND')
  }

  #put({ key, value, lease, prevKv, ignoreLease, ignoreValue }: PutOperation): Plain {
    const old = this.keys.get(key)
    const mod = this.revision + 1
    this.#change().set(key, {
      value: ignoreValue ? (old?.value ?? '') : Buffer.from(value).toString(),
      create: old?.create ?? mod,
      mod,
      version: (old?.version ?? 0) + 1,
      lease: ignoreLease ? (old?.lease ?? 0n) : lease,
    })
    return { previous: prevKv && old !== undefined ? plainRow(key, old) : null }
  }

  #delete({ key, rangeEnd, prevKv }: DeleteRangeOperation): Plain {
    const rows = rowsIn(this.keys, key, rangeEnd)
    for (const [deleted] of rows) this.#change().delete(deleted)
    return { deleted: rows.length, previous: prevKv ? rows.map(([each, row]) => plainRow(each, row)) : [] }
  }

  #range({ key, rangeEnd, revision, limit, countOnly }: RangeOperation): Plain {
    const rows = rowsIn(
      revision > 0 && revision <= this.revision ? (this.history[revision] ?? new Map()) : this.keys,
      key,
      rangeEnd,
    )
    const cut = limit > 0 && !countOnly ? rows.slice(0, limit) : rows
    const kvs = countOnly ? [] : cut.map(([each, row]) => plainRow(each, row))
    return { kvs, count: rows.length, more: cut.length < rows.length }
  }

  #path(operation: TxnOperation): ModelPath {
    const succeeded = operation.compare.every((comparison) => this.#holds(comparison))
    const taken = succeeded ? operation.success : operation.failure
    return { succeeded, steps: taken.map((step) => (step?.kind === 'txn' ? this.#path(step) : step)) }
  }

  #keepChanges(): void {
    if (this.#changed !== undefined) this.history.push(this.#changed)
  }

  #check({ steps }: ModelPath, deletes: DeleteRangeOperation[] = []): void {
    for (const step of steps) {
      if (step === undefined) throw new Refusal('KEY_NOT_FOUND')
      if ('steps' in step) this.#check(step, deletes)
      else if (step.kind === 'deleteRange') deletes.push(step)
      else if (step.kind === 'put') {
        this.#checkCurrent(step)
        const deleted = deletes.some((each) => contains(rangeOf(each.key, each.rangeEnd), step.key))
        if (deleted && (step.ignoreLease || step.ignoreValue)) throw new Refusal('KEY_NOT_FOUND')
        this.#checkLease(step)
      } else if (step.revision !== 0) {
        if (step.revision > this.revision) throw new Refusal('FUTURE_REVISION')
        if (step.revision < this.compacted) throw new Refusal('COMPACTED')
      }
    }
  }

  #runPath({ succeeded, steps }: ModelPath): Plain {
    const responses = steps.map((step): Plain => {
      if (step === undefined) throw new Error('not checked')
      if ('steps' in step) return ['txn', 0, this.#runPath(step)]
      const answer =
        step.kind === 'put' ? this.#put(step) : step.kind === 'range' ? this.#range(step) : this.#delete(step)
      return [step.kind, this.#now, answer]
    })
    return { succeeded, responses }
  }

  #holds(comparison: Compare): boolean {
    const rows = rowsIn(this.keys, comparison.key, comparison.rangeEnd)
    if (rows.length > 0) return rows.every(([, row]) => rowHolds(row, comparison))
    return comparison.target !== 3 && rowHolds({ value: '', create: 0, mod: 0, version: 0, lease: 0n }, comparison)
  }
}

interface ModelPath {
  readonly succeeded: boolean
  readonly steps: readonly (ModelPath | Exclude<RequestOperation, TxnOperation>)[]
}

function rowsIn(keys: Keys, key: Key, rangeEnd: Key): (readonly [Key, Row])[] {
  const range = rangeOf(key, rangeEnd)
  if (rangeEnd !== EMPTY_KEY && isEmptyRange(range)) return []
  return [...keys].filter(([each]) => contains(range, each)).sort(([a], [b]) => (a < b ? -1 : 1))
}

function plainRow(key: Key, { value, create, mod, version, lease }: Row): Plain {
  return { key, value, create, mod, version, lease: Number(lease) }
}

function rowHolds(row: Row, { target, result, operand }: Compare): boolean {
  const fields = ['version', 'createRevision', 'modRevision', 'value', 'lease']
  const mine = [row.version, row.create, row.mod, row.value, Number(row.lease)][target] ?? 0
  const zero = target === 3 ? '' : 0
  const other = operand !== undefined && operand.field === fields[target] ? operandOf(operand) : zero
  const order = mine === other ? 0 : mine < other ? -1 : 1
  return [order === 0, order > 0, order < 0, order !== 0][result] ?? true
}

function operandOf(operand: NonNullable<Compare['operand']>): string | number {
  if (operand.field === 'value') return Buffer.from(operand.value).toString()
  return operand.field === 'lease' ? Number(operand.lease) : operand.number
}

function wantsSpace(command: Command | RequestOperation): boolean {
  if (command?.kind === 'txn')
    return [...command.success, ...command.failure].some((each) => each?.kind !== 'range' && wantsSpace(each))
  return command?.kind === 'put' || command?.kind === 'leaseGrant'
}
