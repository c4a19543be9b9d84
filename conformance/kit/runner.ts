/**
 * Runs cases on a backend: several side by side, those that must be alone by themselves. Knows no test framework.
 */
import type { BackendHarness } from '../harness.ts'
import { type AgentPool, makeAgentPool } from './agent-pool.ts'
import type { ConformanceCase } from './case.ts'
import { runCase, type RunningCase } from './case-run.ts'
import { type CaseOutcome, withoutRunning } from './outcome.ts'
import { planCases, type PlannedCase } from './plan.ts'
import { catchStrayErrors } from './stray-errors.ts'

export interface RunnerOptions {
  readonly cases: readonly ConformanceCase[]
  /** Ids; default: all. */
  readonly only?: readonly string[]
  readonly scale: 'quick' | 'full'
  readonly seed: string
  /** How many cases run side by side. */
  readonly concurrency: number
  /** Where histories of failed cases are saved. */
  readonly historyFolder: string
  /** What a case may take if it does not ask for more, milliseconds. */
  readonly caseLimitMs?: number
  /** What the orderly end of a client may take, milliseconds. Default: a session's time to live and 5 s. */
  readonly closeLimitMs?: number
  readonly onOutcome?: (outcome: CaseOutcome) => void
}

/** A run that others follow case by case. */
export interface Run {
  /** Of a case of the run; resolves when the case is over. Rejects if the run is stopped before it. */
  outcomeOf(id: string): Promise<CaseOutcome>
  /** All outcomes, in the order of the catalogue; after {@link stop}, of those that were run. */
  readonly done: Promise<readonly CaseOutcome[]>
  /** Begins no further case. Resolves when those that are running are over. */
  stop(): Promise<void>
}

/** @throws Error if `only` or the harness names a case that does not exist. */
export async function runCases(harness: BackendHarness, options: RunnerOptions): Promise<readonly CaseOutcome[]> {
  return startRun(harness, options, 'all').done
}

/**
 * @param alone when the cases that must be alone are run: `all` – after the others; `on demand` – each when its outcome
 * is asked for. The first demand drops what is left of the others: whoever follows the run asks for those first.
 */
export function startRun(harness: BackendHarness, options: RunnerOptions, alone: 'all' | 'on demand'): Run {
  return new CaseRun(harness, options, alone)
}

/** More would be started in vain at the end of a run, and all at once at its beginning. */
const SPARE_AGENTS = 2

interface Item {
  readonly planned: PlannedCase
  readonly settle: (outcome: CaseOutcome) => void
  readonly refuse: (error: Error) => void
  readonly outcome: Promise<CaseOutcome>
}

class CaseRun implements Run {
  readonly done: Promise<readonly CaseOutcome[]>
  readonly #harness: BackendHarness
  readonly #options: RunnerOptions
  readonly #pool: AgentPool
  readonly #items: ReadonlyMap<string, Item>
  readonly #outcomes = new Map<string, CaseOutcome>()
  readonly #running = new Set<RunningCase>()
  readonly #strays: Error[] = []
  readonly #stray: Disposable
  #side: Item[]
  #alone: Item[]
  readonly #sideDone: Promise<unknown>
  #aloneDone: Promise<unknown> = Promise.resolve()
  #stopped: () => void = () => undefined

  constructor(harness: BackendHarness, options: RunnerOptions, alone: 'all' | 'on demand') {
    const { cases, problems } = planCases(harness, options.cases)
    const unknown = (options.only ?? []).filter((id) => !cases.some((planned) => planned.id === id))
    const faults = [...problems, ...unknown.map((id) => `there is no case ${id}`)]
    if (faults.length > 0) throw new Error(faults.join('; '))
    this.#harness = harness
    this.#options = options
    this.#pool = makeAgentPool(SPARE_AGENTS)
    const chosen = cases.filter(({ id }) => options.only?.includes(id) ?? true)
    this.#items = new Map(chosen.map((planned) => [planned.id, itemOf(planned)]))
    const toRun = [...this.#items.values()].filter((item) => !this.#settledAtOnce(item))
    this.#side = toRun.filter(({ planned }) => planned.case.alone !== true)
    this.#alone = toRun.filter(({ planned }) => planned.case.alone === true)
    this.#stray = catchStrayErrors((error) => this.#onStray(error))
    this.#sideDone = Promise.all(Array.from({ length: Math.max(1, options.concurrency) }, () => this.#work()))
    const wanted = new Promise<void>((resolve) => {
      this.#stopped = resolve
    })
    this.done = this.#finish(alone === 'all' ? this.#sideDone.then(() => this.#runAlone()) : wanted)
    // whoever follows by outcomeOf need not look at it
    this.done.catch(() => undefined)
  }

  outcomeOf(id: string): Promise<CaseOutcome> {
    const item = this.#items.get(id)
    if (item === undefined) return Promise.reject(new Error(`${id} is not part of this run`))
    if (this.#side.includes(item)) {
      this.#side = [item, ...this.#side.filter((other) => other !== item)]
    } else if (this.#alone.includes(item)) {
      this.#side = []
      this.#alone = this.#alone.filter((other) => other !== item)
      this.#aloneDone = Promise.all([this.#sideDone, this.#aloneDone]).then(() => this.#runItem(item))
    }
    return item.outcome
  }

  async stop(): Promise<void> {
    const left = [...this.#side, ...this.#alone]
    this.#side = []
    this.#alone = []
    for (const { planned, refuse } of left) refuse(new Error(`the run was stopped before ${planned.id}`))
    await Promise.all([this.#sideDone, this.#aloneDone])
    this.#stopped()
    await this.done
  }

  async #finish(work: Promise<unknown>): Promise<readonly CaseOutcome[]> {
    try {
      await work
      await Promise.all([this.#sideDone, this.#aloneDone])
    } finally {
      await this.#pool.close()
      this.#stray[Symbol.dispose]()
    }
    const [stray] = this.#strays
    if (stray !== undefined) throw stray
    return [...this.#items.keys()].flatMap((id) => this.#outcomes.get(id) ?? [])
  }

  async #work(): Promise<void> {
    for (let item = this.#side.shift(); item !== undefined; item = this.#side.shift()) await this.#runItem(item)
  }

  async #runAlone(): Promise<void> {
    for (let item = this.#alone.shift(); item !== undefined; item = this.#alone.shift()) await this.#runItem(item)
  }

  async #runItem(item: Item): Promise<void> {
    const { concurrency: _ignored, ...options } = this.#options
    const running = runCase(item.planned, { harness: this.#harness, pool: this.#pool, ...options })
    this.#running.add(running)
    try {
      this.#settle(item, await running.outcome)
    } finally {
      this.#running.delete(running)
    }
  }

  #settledAtOnce(item: Item): boolean {
    if (item.planned.run !== undefined) return false
    this.#settle(item, withoutRunning(item.planned))
    return true
  }

  #settle(item: Item, outcome: CaseOutcome): void {
    this.#outcomes.set(item.planned.id, outcome)
    this.#options.onOutcome?.(outcome)
    item.settle(outcome)
  }

  /** Whose it was cannot be known: of all that were running; of the run itself if there was none. */
  #onStray(error: Error): void {
    if (this.#running.size === 0) this.#strays.push(error)
    for (const running of this.#running) running.blame(error)
  }
}

function itemOf(planned: PlannedCase): Item {
  const item: { settle: Item['settle']; refuse: Item['refuse'] } = { settle: () => undefined, refuse: () => undefined }
  const outcome = new Promise<CaseOutcome>((resolve, reject) => {
    item.settle = resolve
    item.refuse = reject
  })
  // nobody need ask
  outcome.catch(() => undefined)
  return { ...item, planned, outcome }
}
