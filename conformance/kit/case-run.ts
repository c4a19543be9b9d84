/** One case from its start to its outcome: its time limit, its end, and what is kept of a failure. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { BackendHarness } from '../harness.ts'
import type { AgentPool } from './agent-pool.ts'
import { afterRunning, type CaseOutcome, type Failure } from './outcome.ts'
import type { PlannedCase } from './plan.ts'
import { machineNow } from './machine-time.ts'
import { Workplace } from './workplace.ts'

export interface CaseSetup {
  readonly harness: BackendHarness
  readonly pool: AgentPool
  readonly scale: 'quick' | 'full'
  readonly seed: string
  readonly historyFolder: string
  readonly caseLimitMs?: number
  readonly closeLimitMs?: number
}

export interface RunningCase {
  readonly outcome: Promise<CaseOutcome>
  /** An error that nobody caught, while this case was running. */
  blame(error: Error): void
}

const CASE_LIMIT_MS = 30_000
/** Of the scale: a full run does many times more. */
const FULL_FACTOR = 10
/** What an orderly end may take, beside a session's time to live. */
const CLOSE_SLACK_MS = 5_000
/** How long a case that was given up may take to notice. */
const NOTICE_MS = 2_000
const LOG_LINES_KEPT = 30
const STALL_RESOLUTION_MS = 10
/** Of a session's time to live: clients of this process may have lost theirs for no fault of the backend. */
const NOTABLE_STALL = 0.2

/** @param planned is one that can be run. */
export function runCase(planned: PlannedCase, setup: CaseSetup): RunningCase {
  const strays: Error[] = []
  return {
    blame: (error) => strays.push(error),
    outcome: outcomeOf(planned, setup, strays),
  }
}

async function outcomeOf(planned: PlannedCase, setup: CaseSetup, strays: readonly Error[]): Promise<CaseOutcome> {
  const { harness, pool, scale, seed } = setup
  const start = machineNow()
  const over = new AbortController()
  const closeLimitMs = setup.closeLimitMs ?? harness.sessionTtlMs + CLOSE_SLACK_MS
  const about = { caseId: planned.id, seed, scale, closeLimitMs, signal: over.signal }
  const workplace = new Workplace({ harness, pool, ...about })
  const errors: Error[] = []
  const stalls = monitorEventLoopDelay({ resolution: STALL_RESOLUTION_MS })
  stalls.enable()
  const body = Promise.resolve().then(() => planned.run?.(workplace.given))
  try {
    await withinLimit(limitOf(planned, setup), body, workplace)
  } catch (error) {
    errors.push(error instanceof Error ? error : new Error(String(error)))
  }
  over.abort(new Error(`${planned.id} is over`))
  for (const problem of await workplace.finish()) errors.push(new Error(problem))
  if (await isPending(body))
    errors.push(new Error('it goes on although it was given up and all its clients are closed'))
  errors.push(...strays)
  stalls.disable()
  const stalledMs = Math.round(stalls.max / 1e6)
  if (errors.length > 0 && stalledMs > harness.sessionTtlMs * NOTABLE_STALL) {
    errors.push(new Error(`meanwhile this process stood still for up to ${stalledMs} ms: is the machine too busy?`))
  }
  const failure = errors.length === 0 ? undefined : failureOf(planned, setup, workplace, errors)
  const { measured } = workplace
  return afterRunning(planned, { failure, durationMs: Math.round(machineNow() - start), measured })
}

function limitOf({ case: { extraTtls = 0 } }: PlannedCase, { harness, scale, caseLimitMs }: CaseSetup): number {
  const usual = (caseLimitMs ?? CASE_LIMIT_MS) + extraTtls * harness.sessionTtlMs
  return scale === 'full' ? usual * FULL_FACTOR : usual
}

async function withinLimit(limitMs: number, body: Promise<void>, { waits }: Workplace): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const { pending } = waits
      const where = pending.length === 0 ? 'something that the kit does not see' : pending.join('; ')
      reject(new Error(`not over after ${limitMs} ms; it was waiting for: ${where}`))
    }, limitMs)
  })
  try {
    await Promise.race([body, limit])
  } finally {
    clearTimeout(timer)
  }
}

async function isPending(body: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), NOTICE_MS)
  })
  const over = body.then(
    () => false,
    () => false,
  )
  try {
    return await Promise.race([over, late])
  } finally {
    clearTimeout(timer)
  }
}

function failureOf(
  { id }: PlannedCase,
  { seed, historyFolder }: CaseSetup,
  { history, logged }: Workplace,
  errors: readonly Error[],
): Failure {
  const [first] = errors
  const path = history.save(historyFolder, `${id}-${seed}-${Date.now()}.jsonl`)
  return {
    message: errors.map(({ message }) => message).join('\nand: '),
    stack: first?.stack ?? '',
    history: path,
    ...(logged.length > 0 && { logged: logged.slice(-LOG_LINES_KEPT) }),
  }
}
