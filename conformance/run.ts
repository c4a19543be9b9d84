/** The catalogue, run without a test framework. */
import { catalogue } from './cases/index.ts'
import type { BackendHarness } from './harness.ts'
import type { CaseOutcome } from './kit/outcome.ts'
import { runCases } from './kit/runner.ts'
import { makeReport, type Report, writeReport } from './report.ts'
import { type ConformanceOptions, readSettings } from './settings.ts'

export interface RunConformanceOptions extends ConformanceOptions {
  /** Called as the cases come to their end, which is not the order of the catalogue. */
  readonly onOutcome?: (outcome: CaseOutcome) => void
}

/**
 * Runs the cases on a backend whose servers are up, and writes the report if a folder is named.
 * @throws Error if the options or the harness name a case that does not exist.
 */
export async function runConformance(harness: BackendHarness, options: RunConformanceOptions = {}): Promise<Report> {
  const { onOutcome, cases = catalogue } = options
  const settings = readSettings(options, process.env)
  const { only, caseLimitMs, ...others } = settings
  const startedAt = new Date()
  const outcomes = await runCases(harness, {
    ...others,
    cases,
    ...(only && { only }),
    ...(caseLimitMs !== undefined && { caseLimitMs }),
    ...(onOutcome && { onOutcome }),
  })
  const report = makeReport(harness, settings, startedAt, outcomes)
  if (settings.reportFolder !== undefined) await writeReport(settings.reportFolder, report)
  return report
}
