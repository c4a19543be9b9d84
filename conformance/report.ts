/** The report of a run: for machines as JSON, for people as Markdown. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Capabilities } from '../spi/index.ts'
import type { BackendHarness } from './harness.ts'
import { type CaseOutcome, tally } from './kit/outcome.ts'
import type { Settings } from './settings.ts'

/** What is written as JSON. */
export interface Report {
  readonly format: 'keta-conformance/1'
  readonly backend: string
  readonly capabilities: Capabilities
  readonly sessionTtlMs: number
  readonly seed: string
  readonly scale: 'quick' | 'full'
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  /** Ids, if only some cases were asked for. */
  readonly only?: readonly string[]
  readonly cases: readonly CaseOutcome[]
}

export function makeReport(
  { name, expect, sessionTtlMs }: Pick<BackendHarness, 'name' | 'expect' | 'sessionTtlMs'>,
  { seed, scale, only }: Pick<Settings, 'seed' | 'scale' | 'only'>,
  startedAt: Date,
  cases: readonly CaseOutcome[],
): Report {
  return {
    format: 'keta-conformance/1',
    backend: name,
    capabilities: expect,
    sessionTtlMs,
    seed,
    scale,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    ...(only !== undefined && { only }),
    cases,
  }
}

/** `93 passed, 0 failed, 2 not run, 0 expected failures`: the numbers of a run in one line. */
export function badgeLine({ cases }: Pick<Report, 'cases'>): string {
  const { passed, failed, notRun, expectedFailures } = tally(cases)
  return `${passed} passed, ${failed} failed, ${notRun} not run, ${expectedFailures} expected failures`
}

/** Writes NAME.json and NAME.md, with the backend's name. @returns the paths. */
export async function writeReport(folder: string, report: Report): Promise<readonly [json: string, markdown: string]> {
  const name =
    report.backend
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'backend'
  await mkdir(folder, { recursive: true })
  const json = join(folder, `${name}.json`)
  const markdown = join(folder, `${name}.md`)
  await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`)
  await writeFile(markdown, reportMarkdown(report))
  return [json, markdown]
}

const WORDS: Readonly<Record<CaseOutcome['state'], string>> = {
  passed: 'passed',
  failed: '**FAILED**',
  'not-run': 'not run',
  'expected-failure': 'fails, as expected',
}

export function reportMarkdown(report: Report): string {
  const { backend, seed, scale, sessionTtlMs, startedAt, durationMs, cases, only } = report
  const rows = cases.map((outcome) => {
    const { id, title, state, durationMs: took } = outcome
    return `| ${id} | ${cell(title)} | ${WORDS[state]} | ${took} | ${cell(noteOf(outcome))} |`
  })
  const about = [
    `Started ${startedAt}, took ${(durationMs / 1000).toFixed(1)} s; scale ${scale}, seed \`${seed}\`,`,
    `sessions of ${sessionTtlMs} ms${only === undefined ? '' : `; only ${only.join(', ')}`}.`,
  ]
  return [
    `# Conformance of ${backend}`,
    '',
    `**${badgeLine(report)}**`,
    '',
    about.join(' '),
    '',
    '| case | what | outcome | ms | |',
    '|---|---|---|---:|---|',
    ...rows,
    '',
  ].join('\n')
}

function noteOf({ reason, failure, measuredMs = {} }: CaseOutcome): string {
  const why = [reason, failure?.message].filter((part) => part !== undefined).join(': ')
  const figures = Object.entries(measuredMs).map(([what, ms]) => `${what}: ${ms} ms`)
  return [...(why === '' ? [] : [why]), ...figures].join('; ')
}

/** One line, that cannot end its cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' · ')
}
