/** `keta conformance`: the suite from the command line, without a test framework. */
import { readFile, writeFile } from 'node:fs/promises'
import { HELP, readArguments, type RunArguments } from './cli-arguments.ts'
import { openHarness, type OpenedHarness } from './cli-harness.ts'
import type { CaseOutcome } from './kit/outcome.ts'
import { badgeLine, type Report } from './report.ts'
import { combined, conformanceMatrix, insertMatrix, parseReport } from './report-matrix.ts'
import { readSettings, type Settings } from './settings.ts'

const OK = 0
const FAILED = 1
const USAGE = 2

/** How long the process may take to end by itself. */
const LINGER_MS = 10_000

/** @param words after `conformance`. Resolves to the exit code. */
export async function conformanceCommand(words: readonly string[]): Promise<number> {
  const invocation = readArguments(words)
  if (invocation.does === 'nothing') return wrong(invocation.problems)
  if (invocation.does === 'help') return say(HELP)
  try {
    if (invocation.does === 'matrix') return await printMatrix(invocation.reports, invocation.into)
    return invocation.does === 'list' ? await printCatalogue() : await run(invocation)
  } catch (error) {
    return wrong([isMissingChai(error) ? 'the cases need the package chai: npm install chai' : messageOf(error)])
  }
}

/** The cases bring an optional package along: loaded only when they are needed. */
async function loadCases() {
  return { ...(await import('./cases/index.ts')), ...(await import('./run.ts')) }
}

async function printCatalogue(): Promise<number> {
  const { catalogue } = await loadCases()
  const lines = catalogue.map(({ id, title, needs = [], capability }) => {
    const about = [...needs, ...(capability === undefined ? [] : [`capability ${capability}`])]
    return `${id.padEnd(4)} ${title}${about.length === 0 ? '' : ` [${about.join(', ')}]`}\n`
  })
  return say(lines.join(''))
}

async function printMatrix(paths: readonly string[], into: string | undefined): Promise<number> {
  const matrix = conformanceMatrix(await Promise.all(paths.map(readColumn)))
  if (into === undefined) return say(matrix)
  await writeFile(into, insertMatrix(await readFile(into, 'utf8'), matrix))
  return OK
}

/** @param paths with `+` between those of one column. */
async function readColumn(paths: string): Promise<Report> {
  const [first = '', ...others] = paths.split('+')
  return combined(await readReport(first), await Promise.all(others.map(readReport)))
}

async function readReport(path: string): Promise<Report> {
  try {
    return parseReport(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new Error(`${path}: ${messageOf(cause)}`, { cause })
  }
}

async function run({ backend, only, scale, seed, reportFolder }: RunArguments): Promise<number> {
  const { runConformance } = await loadCases()
  const said = {
    ...(only !== undefined && { only }),
    ...(scale !== undefined && { scale }),
    ...(seed !== undefined && { seed }),
    ...(reportFolder !== undefined && { reportFolder }),
  }
  const settings = readSettings(said, process.env)
  const opened: OpenedHarness = await openHarness(backend)
  try {
    const { harness } = opened
    say(`${harness.name}: seed ${settings.seed}, scale ${settings.scale}, T ${harness.sessionTtlMs} ms\n`)
    const report = await runConformance(harness, { ...said, seed: settings.seed, onOutcome: (one) => say(line(one)) })
    const failed = report.cases.filter(({ state }) => state === 'failed')
    for (const outcome of failed) say(`\n${describeFailure(outcome, settings)}`)
    say(`\n${badgeLine(report)}\n`)
    return failed.length === 0 ? OK : FAILED
  } finally {
    await opened.close()
    endAnyway()
  }
}

/** A client that leaves something behind must not keep the command from ending, nor stay unseen. */
function endAnyway(): void {
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().join(', ')
    process.stderr.write(`keta conformance: ended although something is left: ${left}\n`)
    process.exit(process.exitCode === OK ? FAILED : undefined)
  }, LINGER_MS).unref()
}

const WORDS: Readonly<Record<CaseOutcome['state'], string>> = {
  passed: 'ok',
  failed: 'FAILED',
  'not-run': 'not run',
  'expected-failure': 'fails, as expected',
}

function line({ id, title, state, reason, durationMs }: CaseOutcome): string {
  const note = reason === undefined ? '' : ` – ${reason}`
  return `${WORDS[state].padEnd(8)} ${id.padEnd(4)} ${title}${note} (${durationMs} ms)\n`
}

function describeFailure({ id, title, failure }: CaseOutcome, settings: Pick<Settings, 'seed' | 'scale'>): string {
  const { seed, scale } = settings
  const again = `${scale === 'full' ? '--scale full ' : ''}--seed ${seed} --only ${id}`
  return [
    `${id} ${title}`,
    `  ${(failure?.message ?? '').replaceAll('\n', '\n  ')}`,
    ...(failure?.logged ?? []).map((text) => `  log ${text}`),
    ...(failure?.history === undefined ? [] : [`  what happened: ${failure.history}`]),
    `  just this case again: ${again}`,
    '',
  ].join('\n')
}

function say(text: string): number {
  process.stdout.write(text)
  return OK
}

function wrong(problems: readonly string[]): number {
  process.stderr.write(problems.map((problem) => `keta conformance: ${problem}\n`).join(''))
  return USAGE
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function isMissingChai(error: unknown): boolean {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
  return isMissing && error.message.includes("'chai'")
}
