/**
 * Histories for the checker's tests: clients of a register in memory, all of it in simulated time. The register is
 * right, or wrong in one way that real stores have been wrong in.
 */
import type { Operation } from './history.ts'
import type { Register, RegisterInput, RegisterOp } from './linearizability-register.ts'
import { uniform } from './seeded.ts'

export type Fault =
  | 'stale-read'
  | 'lost-update'
  | 'two-step-compare-and-set'
  | 'two-step-put'
  | 'applied-twice'
  | 'version-starts-again'
  | 'denied-but-applied'
  | 'undone-delete'

export interface Simulation {
  readonly seed: number
  readonly fault?: Fault
  readonly clients?: number
  readonly operations?: number
  /** Chance that a reply is lost: the operation is open, whether it was applied or not. */
  readonly lossy?: number
}

interface Store {
  now: Register | undefined
  readonly past: { readonly until: number; readonly state: Register | undefined }[]
  version(): string
  set(state: Register | undefined, at: number): void
}

/** What the store answers, or the code of its refusal. */
type Answer = { readonly output: unknown } | { readonly error: string }

interface Call {
  readonly process: string
  readonly op: RegisterOp
  readonly input: RegisterInput
  readonly invokedAt: number
}

/** The history of clients that each do one operation after another on one key. */
export function simulate({ seed, fault, clients = 4, operations = 60, lossy = 0 }: Simulation): Operation[] {
  const random = uniform(seed)
  const store = makeStore(fault)
  const agenda: { readonly at: number; run(at: number): void }[] = []
  const history: Operation[] = []
  const after = (at: number, run: (at: number) => void) => agenda.push({ at: at + random() * 10, run })
  let values = 0

  const start = (process: string, known: string | undefined) => (invokedAt: number) => {
    if (history.length + clients > operations + clients - 1) return
    const op = (['put', 'update', 'update', 'delete', 'read', 'read'] as const)[Math.floor(random() * 6)]!
    const input = { ...(isWrite(op) && { value: `x${++values}` }), ...(usesVersion(op) && ifVersionOf(known)) }
    const call: Call = { process, op, input, invokedAt }
    const twoSteps =
      (fault === 'two-step-put' && op === 'put') || (fault === 'two-step-compare-and-set' && op !== 'put')
    after(invokedAt, (at) => {
      const seen = store.now
      const reply = (answer: Answer) => after(at, (returnedAt) => end(call, answer, returnedAt, known))
      if (twoSteps && op !== 'read') after(at, (later) => reply(apply(store, call, seen, later)))
      else reply(answerOf(call, at))
    })
  }

  const usesVersion = (op: RegisterOp) => (op === 'update' || op === 'delete') && random() < 0.6

  const answerOf = (call: Call, at: number): Answer => {
    if (call.op === 'read' && fault === 'stale-read' && random() < 0.1) return { output: { found: stale(store, call) } }
    if (isWrite(call.op) && fault === 'lost-update' && store.now !== undefined && call.op === 'update') {
      if (random() < 0.3 && fits(store.now, call.input)) return { output: { version: store.version() } }
    }
    const before = store.now
    const answer = apply(store, call, before, at)
    if ('error' in answer) return answer
    if (fault === 'applied-twice' && call.op === 'update' && random() < 0.2) {
      after(at + 5, (later) => store.set({ value: call.input.value!, version: store.version() }, later))
    }
    if (fault === 'denied-but-applied' && call.op !== 'read' && random() < 0.2) return { error: 'CONNECTION' }
    if (fault === 'undone-delete' && call.op === 'delete' && random() < 0.3) {
      after(at + 5, (later) => {
        if (store.now === undefined) store.set(before, later)
      })
    }
    return answer
  }

  const end = (call: Call, answer: Answer, returnedAt: number, known: string | undefined) => {
    const open = call.op !== 'read' && random() < lossy
    if (open) history.push({ ...call, key: '/k', returnedAt, outcome: 'unknown', error: 'TIMEOUT' })
    else if ('error' in answer) history.push({ ...call, key: '/k', returnedAt, outcome: 'none', error: answer.error })
    else history.push({ ...call, key: '/k', returnedAt, outcome: 'ok', output: answer.output })
    const learnt = !open && 'output' in answer ? versionIn(answer.output) : undefined
    after(returnedAt, start(call.process, learnt ?? known))
  }

  for (let client = 0; client < clients; client++) after(0, start(`c${client}`, undefined))
  for (let now = next(agenda); now !== undefined; now = next(agenda)) now.run(now.at)
  return history
}

function next<T extends { readonly at: number }>(agenda: T[]): T | undefined {
  agenda.sort((a, b) => a.at - b.at)
  return agenda.shift()
}

function isWrite(op: RegisterOp): boolean {
  return op === 'put' || op === 'update'
}

function ifVersionOf(version: string | undefined): RegisterInput {
  return version === undefined ? {} : { ifVersion: version }
}

function versionIn(output: unknown): string | undefined {
  const { version, found } = output as { version?: string; found?: Register | null }
  return version ?? found?.version
}

function makeStore(fault: Fault | undefined): Store {
  let versions = 0
  const store: Store = {
    now: undefined,
    past: [],
    version: () => `v${++versions}`,
    set(state, at) {
      store.past.push({ until: at, state: store.now })
      if (fault === 'version-starts-again' && state === undefined) versions = 0
      store.now = state
    },
  }
  return store
}

/** Some state that was over when the read began. */
function stale(store: Store, { invokedAt }: Call): Register | null {
  return store.past.findLast((state) => state.until < invokedAt)?.state ?? null
}

function fits(state: Register, { ifVersion }: RegisterInput): boolean {
  return ifVersion === undefined || ifVersion === state.version
}

/** Decides by `seen`, which a right store has seen in this very step. */
function apply(store: Store, { op, input }: Call, seen: Register | undefined, at: number): Answer {
  if (op === 'read') return { output: { found: seen ?? null } }
  if (op === 'put' && seen !== undefined) return { error: 'KEY_EXISTS' }
  if (op === 'update' && seen === undefined) return { error: 'KEY_NOT_FOUND' }
  if (op === 'delete' && seen === undefined) return { output: { existed: false } }
  if (seen !== undefined && op !== 'put' && !fits(seen, input)) return { error: 'VERSION_MISMATCH' }
  if (op === 'delete') {
    store.set(undefined, at)
    return { output: { existed: true } }
  }
  const version = store.version()
  store.set({ value: input.value!, version }, at)
  return { output: { version } }
}
