/**
 * The model of one key of a Storage, for the linearizability checker: put if absent, update, compare-and-set, delete,
 * read; every write with a version that is used once.
 */
import { checkLinearizable, type Model, type Verdict } from './linearizability.ts'
import type { Operation } from './history.ts'

/** What histories of registers hold: `input` and `output` as below, `error` begins with the code of a refusal. */
export type RegisterOp = 'put' | 'update' | 'delete' | 'read'

export interface RegisterInput {
  /** Of put and update. */
  readonly value?: string
  /** Of update and delete. */
  readonly ifVersion?: string
}

/** Of put and update. */
export interface WriteOutput {
  readonly version: string
}

/** Of delete. */
export interface DeleteOutput {
  readonly existed: boolean
}

/** Of read. */
export interface ReadOutput {
  readonly found: Register | null
}

export interface Register {
  readonly value: string
  readonly version: string
}

interface Present {
  readonly value: string
  /** undefined: of an open write, and nobody has seen it yet … */
  readonly version: string | undefined
  /** … except that it is none of these. */
  readonly not: readonly string[]
}

interface State {
  readonly now: Present | undefined
  /** Versions that turned out to be those of open writes. */
  readonly revealed: readonly string[]
}

/** The refusals that tell something of the key. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(['KEY_EXISTS', 'KEY_NOT_FOUND', 'VERSION_MISMATCH'])

/** A key whose history cannot be explained. */
export interface Anomaly {
  readonly key: string
  readonly message: string
}

/** What is wrong with the histories of all keys; empty if nothing is. */
export function checkRegisters(operations: readonly Operation[]): readonly Anomaly[] {
  const keys = new Set(operations.map((operation) => operation.key))
  return [...keys].flatMap((key) => {
    const message = checkRegister(operations.filter((operation) => operation.key === key))
    return message === undefined ? [] : [{ key, message }]
  })
}

/** What is wrong with the history of one key. */
export function checkRegister(operations: readonly Operation[]): string | undefined {
  const told = operations.filter((operation) => operation.outcome !== 'none' || REFUSALS.has(codeOf(operation)))
  const written = writtenVersions(told)
  if (typeof written === 'string') return written
  const verdict = checkLinearizable(registerModel(written), told, {
    isOpen: (operation) => operation.outcome === 'unknown',
  })
  return verdict.linearizable ? undefined : explain(verdict)
}

/** The versions of all acknowledged writes; or a version that two of them were given. */
function writtenVersions(operations: readonly Operation[]): ReadonlySet<string> | string {
  const written = new Set<string>()
  for (const { op, outcome, output } of operations) {
    if (outcome !== 'ok' || (op !== 'put' && op !== 'update')) continue
    const { version } = output as WriteOutput
    if (written.has(version)) return `two writes were given the version ${version}`
    written.add(version)
  }
  return written
}

function registerModel(written: ReadonlySet<string>): Model<State, Operation> {
  return {
    initial: { now: undefined, revealed: [] },
    step: (state, operation) => step(state, operation, written),
    fingerprint: (state) => JSON.stringify(state),
  }
}

function step(state: State, operation: Operation, written: ReadonlySet<string>): State | undefined {
  const input = (operation.input ?? {}) as RegisterInput
  if (operation.outcome === 'none') return refused(state, operation, input)
  if (operation.op === 'read') return read(state, operation, written)
  const allowed = admit(state, operation.op as RegisterOp, input, written)
  if (operation.outcome === 'unknown') {
    return allowed === undefined ? state : { ...allowed, now: become(operation, input, undefined) }
  }
  if (operation.op === 'delete' && !(operation.output as DeleteOutput).existed) {
    return state.now === undefined ? state : undefined
  }
  if (allowed === undefined) return undefined
  const version = operation.op === 'delete' ? undefined : (operation.output as WriteOutput).version
  return { ...allowed, now: become(operation, input, version) }
}

function become(operation: Operation, input: RegisterInput, version: string | undefined): State['now'] {
  return operation.op === 'delete' ? undefined : { value: input.value ?? '', version, not: [] }
}

/** The state that the write finds, with what its success says of it; undefined if it must be refused there. */
function admit(
  state: State,
  op: RegisterOp,
  { ifVersion }: RegisterInput,
  written: ReadonlySet<string>,
): State | undefined {
  if (op === 'put') return state.now === undefined ? state : undefined
  if (state.now === undefined) return undefined
  return ifVersion === undefined ? state : withVersion(state, ifVersion, written)
}

function codeOf({ error }: Operation): string | undefined {
  return error?.split(' ', 1)[0]
}

function refused(state: State, operation: Operation, { ifVersion }: RegisterInput): State | undefined {
  const code = codeOf(operation)
  if (code === 'KEY_EXISTS') return state.now === undefined ? undefined : state
  if (code === 'KEY_NOT_FOUND') return state.now === undefined ? state : undefined
  if (state.now === undefined || ifVersion === undefined || state.now.version === ifVersion) return undefined
  if (state.now.version !== undefined) return state
  return { ...state, now: { ...state.now, not: [...state.now.not, ifVersion] } }
}

function read(state: State, { output }: Operation, written: ReadonlySet<string>): State | undefined {
  const { found } = output as ReadOutput
  if (found === null || state.now === undefined) return found === null && state.now === undefined ? state : undefined
  return found.value === state.now.value ? withVersion(state, found.version, written) : undefined
}

/** The same state, knowing that its version is this one; undefined if it cannot be. */
function withVersion(state: State, version: string, written: ReadonlySet<string>): State | undefined {
  if (state.now?.version !== undefined) return state.now.version === version ? state : undefined
  const { now, revealed } = state
  if (now === undefined || written.has(version) || revealed.includes(version) || now.not.includes(version)) {
    return undefined
  }
  return { now: { ...now, version, not: [] }, revealed: [...revealed, version] }
}

const SHOWN = 6

function explain({ longest, stuck }: Verdict<Operation>): string {
  const lines = [
    `no order of its ${longest.length + stuck.length} or more operations explains what they returned.`,
    `The best one ends, after ${Math.max(0, longest.length - SHOWN)} others, with`,
    ...longest.slice(-SHOWN).map(describe),
    'and then none of these can follow:',
    ...stuck.map(describe),
  ]
  return lines.join('\n')
}

function describe({ process, op, input, outcome, output, error, invokedAt, returnedAt }: Operation): string {
  const span = `[${invokedAt.toFixed(2)}, ${outcome === 'unknown' ? '∞' : returnedAt.toFixed(2)}]`
  const answer = outcome === 'ok' ? JSON.stringify(output) : `${outcome}${error === undefined ? '' : ` (${error})`}`
  return `  ${process} ${span} ${op} ${JSON.stringify(input ?? {})} → ${answer}`
}
