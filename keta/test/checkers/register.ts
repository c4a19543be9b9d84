/**
 * Linearizability of single keys. A key's state is its value with its mod_revision, and revisions in the answers are
 * held to the order too, which leaves the search hardly a choice.
 */
import { checkLinearizable, type Model } from '../../../conformance/kit/linearizability.ts'
import { type Anomaly, anomaly } from './anomaly.ts'
import type { CasAnswer, Expectation, History, RegisterOperation, RegisterState } from './history.ts'

/** For the search: with its times. */
interface Timed {
  readonly operation: RegisterOperation
  readonly invokedAt: number
  readonly returnedAt: number
}

interface State {
  readonly value: string | null
  /** The mod_revision is at least this; 0 if absent … */
  readonly modFrom: number
  /** … and at most this: only that of a write of unknown outcome is in doubt. */
  readonly modTo: number
  /** No revision from here on is less. */
  readonly floor: number
}

const REGISTER: Model<State, Timed> = {
  initial: { value: null, modFrom: 0, modTo: 0, floor: 1 },
  step: (state, { operation }) => step(state, operation),
  fingerprint: ({ value, modFrom, modTo, floor }) => `${modFrom} ${modTo} ${floor} ${value}`,
}

/** Steps of the search for one key after which it is given up. */
const MAX_STEPS = 1_000_000

export function checkRegisters(history: readonly RegisterOperation[]): readonly Anomaly[] {
  const keys = new Map<string, RegisterOperation[]>()
  for (const operation of history) {
    const operations = keys.get(operation.key)
    if (operations === undefined) keys.set(operation.key, [operation])
    else operations.push(operation)
  }
  return [...keys].flatMap(([key, operations]) => checkRegister(key, operations))
}

/** The records of registers, apart from others. */
export function registerRecords(history: History): readonly RegisterOperation[] {
  return history.filter((record) => record.kind === 'register')
}

function checkRegister(key: string, operations: readonly RegisterOperation[]): readonly Anomaly[] {
  const timed = withoutIdle(operations).map((operation) => ({
    operation,
    invokedAt: operation.invoke,
    returnedAt: operation.return,
  }))
  try {
    const verdict = checkLinearizable(REGISTER, timed, {
      isOpen: ({ operation }) => operation.outcome === 'info',
      maxSteps: MAX_STEPS,
    })
    if (verdict.linearizable) return []
    const last = verdict.longest.slice(-3).map(({ operation }) => operation)
    const stuck = verdict.stuck.slice(0, 10).map(({ operation }) => operation)
    const fit = `${verdict.longest.length} operations fit, at last these ${last.length}`
    const text = `no order explains ${key}: ${fit}, then none of the others below`
    return [anomaly('register', 'not-linearizable', text, [...last, ...stuck])]
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return [anomaly('register', 'undecided', `${key}: ${error.message}; rotate keys sooner`)]
  }
}

/** Less to search: without what never happened, and without unknown writes that nothing hints at. */
function withoutIdle(operations: readonly RegisterOperation[]): readonly RegisterOperation[] {
  const { values, isSure } = hintsOf(operations)
  return operations.filter((operation) => {
    if (operation.outcome === 'fail') return false
    if (operation.outcome === 'ok') return true
    return operation.f !== 'read' && (!isSure || operation.value === null || values.has(operation.value))
  })
}

/** @returns the values that somebody saw or met; not sure: somebody met a value without telling which. */
function hintsOf(operations: readonly RegisterOperation[]): {
  readonly values: ReadonlySet<string | null>
  readonly isSure: boolean
} {
  const values = new Set<string | null>()
  const met = new Set<number>()
  const known = new Set<number>([0])
  let isSure = true
  const see = ({ value, modRevision }: RegisterState): void => {
    values.add(value)
    known.add(modRevision)
  }
  for (const operation of operations) {
    if (operation.f === 'cas' && operation.outcome !== 'fail') {
      if ('value' in operation.expect) values.add(operation.expect.value)
      else met.add(operation.expect.modRevision)
    }
    if (operation.outcome !== 'ok') continue
    if (operation.f === 'read') see(operation.answer)
    else if (operation.f === 'write' || operation.answer.succeeded) known.add(operation.answer.revision)
    else if (operation.answer.observed !== undefined) see(operation.answer.observed)
    else isSure = false
  }
  return { values, isSure: isSure && [...met].every((revision) => known.has(revision)) }
}

function step(state: State, operation: RegisterOperation): State | undefined {
  if (operation.outcome !== 'ok') return stepOpen(state, operation)
  const { revision } = operation.answer
  if (revision < state.floor) return undefined
  switch (operation.f) {
    case 'read':
      return observe(state, operation.answer, revision)
    case 'write':
      return write(state, operation.value, revision)
    case 'cas':
      return compareAndSet(state, operation, operation.answer)
  }
}

function stepOpen(state: State, operation: RegisterOperation): State | undefined {
  if (operation.f === 'read' || operation.outcome === 'fail') return undefined
  if (operation.f === 'cas' && !mayHold(state, operation.expect)) return undefined
  const floor = state.floor + (operation.value === null && state.value === null ? 0 : 1)
  if (operation.value === null) return { value: null, modFrom: 0, modTo: 0, floor }
  return { value: operation.value, modFrom: floor, modTo: Infinity, floor }
}

function observe(state: State, { value, modRevision }: RegisterState, revision: number): State | undefined {
  if (value !== state.value || modRevision > revision) return undefined
  if (modRevision < state.modFrom || modRevision > state.modTo) return undefined
  return { value, modFrom: modRevision, modTo: modRevision, floor: revision }
}

function write(state: State, value: string | null, revision: number): State | undefined {
  const isIdle = value === null && state.value === null
  if (!isIdle && revision <= state.floor) return undefined
  const mod = value === null ? 0 : revision
  return { value, modFrom: mod, modTo: mod, floor: revision }
}

function compareAndSet(
  state: State,
  { expect, value }: { readonly expect: Expectation; readonly value: string | null },
  { succeeded, revision, observed }: CasAnswer,
): State | undefined {
  if (succeeded) {
    if (!mayHold(state, expect)) return undefined
    return write(state, value, revision)
  }
  const blind = { ...state, floor: revision, modTo: Math.min(state.modTo, revision) }
  const after = observed === undefined ? blind : observe(state, observed, revision)
  return after === undefined || mustHold(after, expect) ? undefined : after
}

function mayHold(state: State, expect: Expectation): boolean {
  if ('value' in expect) return state.value === expect.value
  return expect.modRevision >= state.modFrom && expect.modRevision <= state.modTo
}

function mustHold(state: State, expect: Expectation): boolean {
  if ('value' in expect) return state.value === expect.value
  return state.modFrom === state.modTo && expect.modRevision === state.modFrom
}
