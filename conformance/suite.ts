/**
 * The catalogue as mocha tests. Each case is an `it` of its own; the runner runs several at once behind them, so the
 * time that mocha shows is the time it had to wait.
 */
import { catalogue } from './cases/index.ts'
import type { BackendHarness } from './harness.ts'
import type { ConformanceCase } from './kit/case.ts'
import type { CaseOutcome } from './kit/outcome.ts'
import { planCases, type PlannedCase } from './kit/plan.ts'
import { type Run, startRun } from './kit/runner.ts'
import { badgeLine, makeReport, writeReport } from './report.ts'
import { type ConformanceOptions, readSettings, rerunHint, type Settings } from './settings.ts'

/** A harness that is there, or how to get one; what it started is disposed of after the suite. */
export type HarnessSource = BackendHarness | (() => Promise<BackendHarness & AsyncDisposable>)

const ACCOUNT = 'accounts for every case'

/**
 * Makes a mocha suite of the whole catalogue, or of other cases. Call it at the top level of a test file, or within
 * `describe`.
 *
 * A case that cannot be run is no test at all – neither passed nor pending. The last test says how many there are, and
 * fails for one that the harness's `notRun` does not list.
 * @param harness servers that take time to start are started by a function, before the first case.
 * @throws Error if there is no mocha.
 */
export function conformance(harness: HarnessSource, options: ConformanceOptions = {}): void {
  suiteOf(options.cases ?? catalogue, harness, readSettings(options, process.env))
}

/** @internal of any cases. */
export function suiteOf(cases: readonly ConformanceCase[], harness: HarnessSource, settings: Settings): void {
  if (typeof describe !== 'function') {
    throw new Error('conformance() makes mocha tests: run this file with mocha, or use runConformance() without it')
  }
  const chosen = cases.filter(({ id }) => settings.only?.includes(id) ?? true)
  describe(typeof harness === 'function' ? 'conformance' : `conformance of ${harness.name}`, function () {
    // each case has its own limit, which knows what the case was waiting for
    this.timeout(0)
    this.slow(Infinity)
    let begun: Begun | undefined

    before(async function () {
      begun = await begin(cases, harness, settings)
      const suite = this.test?.parent
      if (suite !== undefined) retitle(suite, begun)
    })
    after(() => begun?.end())

    const define = (one: ConformanceCase) => {
      it(`${one.id} ${one.title}`, async () => {
        if (begun === undefined) throw new Error('the run has not begun')
        confirm(await begun.run.outcomeOf(one.id), settings)
      })
    }
    describe('side by side', () => chosen.filter(({ alone }) => alone !== true).forEach(define))
    describe('one at a time', () => chosen.filter(({ alone }) => alone === true).forEach(define))
    describe('the run', () => {
      it(ACCOUNT, () => {
        const lost = chosen.filter(({ id }) => begun?.planned.has(id) !== true)
        if (lost.length > 0) throw new Error(`nothing is known of ${lost.map(({ id }) => id).join(', ')}`)
      })
    })
  })
}

interface Begun {
  readonly run: Run
  readonly planned: ReadonlyMap<string, PlannedCase>
  end(): Promise<void>
}

async function begin(cases: readonly ConformanceCase[], source: HarnessSource, settings: Settings): Promise<Begun> {
  const started = typeof source === 'function' ? await source() : undefined
  const harness = started ?? (source as BackendHarness)
  try {
    const { only, caseLimitMs, ...others } = settings
    const startedAt = new Date()
    const run = startRun(
      harness,
      { ...others, cases, ...(only && { only }), ...(caseLimitMs !== undefined && { caseLimitMs }) },
      'on demand',
    )
    console.log(`    ${harness.name}: seed ${settings.seed}, scale ${settings.scale}, T ${harness.sessionTtlMs} ms`)
    const planned = planCases(harness, cases).cases.filter(({ id }) => only?.includes(id) ?? true)
    return {
      run,
      planned: new Map(planned.map((one) => [one.id, one])),
      async end() {
        try {
          await run.stop()
          await finish(harness, settings, startedAt, await run.done)
        } finally {
          await started?.[Symbol.asyncDispose]()
        }
      },
    }
  } catch (error) {
    await started?.[Symbol.asyncDispose]()
    throw error
  }
}

async function finish(
  harness: BackendHarness,
  settings: Settings,
  startedAt: Date,
  outcomes: readonly CaseOutcome[],
): Promise<void> {
  const report = makeReport(harness, settings, startedAt, outcomes)
  console.log(`    ${badgeLine(report)}`)
  for (const { id, state, reason, measuredMs = {} } of outcomes) {
    if (state === 'not-run') console.log(`      NOT RUN ${id}: ${reason ?? ''}`)
    for (const [what, ms] of Object.entries(measuredMs)) console.log(`      measured in ${id}: ${what}: ${ms} ms`)
  }
  if (settings.reportFolder !== undefined) await writeReport(settings.reportFolder, report)
}

/**
 * Now that the harness is known: takes out the tests of cases that are not run, before mocha comes to them, and says
 * in the titles of the others what is expected of them.
 */
function retitle(suite: Mocha.Suite, { planned }: Begun): void {
  for (const inner of suite.suites) {
    inner.tests = inner.tests.filter((test) => {
      const one = planned.get(/^\w+/.exec(test.title)?.[0] ?? '')
      if (one === undefined) return true
      const expected = one.expectedFailure === undefined ? '' : ` – EXPECTED TO FAIL: ${one.expectedFailure}`
      test.title = `${one.id} ${one.title}${expected}`
      return one.run !== undefined || one.fault !== undefined
    })
    const left = [...planned.values()].filter(({ run, fault }) => run === undefined && fault === undefined)
    for (const test of inner.tests) {
      if (test.title === ACCOUNT && left.length > 0)
        test.title = `${ACCOUNT}; ${left.length} of them NOT RUN, see below`
    }
  }
}

function confirm({ id, state, failure, durationMs }: CaseOutcome, settings: Settings): void {
  if (state !== 'failed') return
  const lines = [
    failure?.message ?? 'it failed',
    `(after ${durationMs} ms; ${rerunHint(id, settings)})`,
    ...(failure?.history === undefined ? [] : [`(what happened: ${failure.history})`]),
  ]
  const error = new Error(lines.join('\n'))
  const frames = failure?.stack.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  const logged = failure?.logged?.map((line) => `    log ${line}`) ?? []
  error.stack = [`Error: ${error.message}`, ...frames, ...logged].join('\n')
  throw error
}
