/** What became of a case. */
import type { PlannedCase } from './plan.ts'

export interface CaseOutcome {
  readonly id: string
  readonly title: string
  /**
   * `not-run` is never a success: what was not looked at is not known. `expected-failure`: it fails as the harness says
   * that it does; passing all the same is a failure.
   */
  readonly state: 'passed' | 'failed' | 'not-run' | 'expected-failure'
  /** Why it is not run, or is expected to fail. */
  readonly reason?: string
  readonly failure?: Failure
  readonly durationMs: number
  /** What the case has measured, milliseconds. */
  readonly measuredMs?: Readonly<Record<string, number>>
  /** What was tried is that the backend refuses what it does not promise. */
  readonly isRefusal?: true
}

export interface Failure {
  readonly message: string
  readonly stack: string
  /** Path of the history, as JSON lines. */
  readonly history?: string
  /** What the plugins have logged, the last lines. */
  readonly logged?: readonly string[]
}

/** The outcome of a case that is not run, or that must not even be tried. */
export function withoutRunning({ id, title, reason, fault }: PlannedCase): CaseOutcome {
  if (fault !== undefined) return { id, title, state: 'failed', failure: { message: fault, stack: '' }, durationMs: 0 }
  return { id, title, state: 'not-run', reason: reason ?? 'no reason given', durationMs: 0 }
}

export interface Ran {
  readonly failure: Failure | undefined
  readonly durationMs: number
  readonly measured: ReadonlyMap<string, number>
}

/** The outcome of a case that was run, by what the harness expects of it. */
export function afterRunning(planned: PlannedCase, { failure, durationMs, measured }: Ran): CaseOutcome {
  const { id, title, expectedFailure: reason, isRefusal } = planned
  const measuredMs = measured.size > 0 && { measuredMs: Object.fromEntries(measured) }
  const about = { id, title, durationMs, ...measuredMs, ...(isRefusal && { isRefusal }) }
  if (reason === undefined) {
    return failure === undefined ? { ...about, state: 'passed' } : { ...about, state: 'failed', failure }
  }
  if (failure !== undefined) return { ...about, state: 'expected-failure', reason, failure }
  const message = `it passes, although the harness expects it to fail (${reason}): take it off the list`
  return { ...about, state: 'failed', reason, failure: { message, stack: '' } }
}

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly notRun: number
  readonly expectedFailures: number
}

export function tally(outcomes: readonly CaseOutcome[]): Tally {
  const count = (state: CaseOutcome['state']) => outcomes.filter((outcome) => outcome.state === state).length
  return {
    passed: count('passed'),
    failed: count('failed'),
    notRun: count('not-run'),
    expectedFailures: count('expected-failure'),
  }
}
