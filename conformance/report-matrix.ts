/** Several backends side by side: what each promises, and what the suite has seen of it. */
import type { Capabilities } from '../spi/index.ts'
import { type Guarantee, GUARANTEES } from './guarantees.ts'
import type { CaseOutcome } from './kit/outcome.ts'
import { badgeLine, type Report } from './report.ts'

export { type Guarantee, GUARANTEES }

const BEGIN = '<!-- conformance matrix: written by `keta conformance matrix` -->'
const END = '<!-- end of the conformance matrix -->'

const LEGEND = [
  '✓ every case of it passed. ✗ a case failed. – not shown: so many of its cases could not be run there.',
  '“refused”: the backend does not promise it, and throws UNSUPPORTED instead of doing less.',
].join(' ')

/** The table, as Markdown. A case that is missing in a report has not been run. */
export function conformanceMatrix(reports: readonly Report[]): string {
  const columns = reports.map(({ backend }) => backend)
  const row = (name: string, cells: readonly string[]) => `| ${[name, ...cells].join(' | ')} |`
  return [
    row('', columns),
    `|---|${columns.map(() => '---').join('|')}|`,
    ...CAPABILITY_ROWS.map(([name, cell]) =>
      row(
        name,
        reports.map(({ capabilities }) => cell(capabilities)),
      ),
    ),
    ...GUARANTEES.map((guarantee) =>
      row(
        `${guarantee.promise} (${ranges(guarantee.cases)})`,
        reports.map((report) => stateOf(guarantee, report)),
      ),
    ),
    row('cases', reports.map(badgeLine)),
    '',
    LEGEND,
    '',
  ].join('\n')
}

/**
 * The text with the table between the two markers replaced.
 * @throws Error if they are not there.
 */
export function insertMatrix(text: string, matrix: string): string {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`there are no markers: ${BEGIN} and, below it, ${END}`)
  return `${text.slice(0, begin + BEGIN.length)}\n${matrix}${text.slice(end)}`
}

/** A later one tells more than those before it. */
const TELLING: readonly CaseOutcome['state'][] = ['not-run', 'passed', 'expected-failure', 'failed']

/**
 * Several runs on one backend as one, with the name and the promises of the first: of each case the outcome that tells
 * most – one that passed with a failure elsewhere has failed.
 */
export function combined(first: Report, others: readonly Report[]): Report {
  const outcomes = new Map<string, CaseOutcome>()
  for (const outcome of [first, ...others].flatMap(({ cases }) => cases)) {
    const before = outcomes.get(outcome.id)
    const tellsMore = before === undefined || TELLING.indexOf(outcome.state) > TELLING.indexOf(before.state)
    if (tellsMore) outcomes.set(outcome.id, outcome)
  }
  return { ...first, cases: [...outcomes.values()] }
}

/** @throws Error if the text is not a report. */
export function parseReport(text: string): Report {
  const value: unknown = JSON.parse(text)
  const isReport =
    typeof value === 'object' && value !== null && 'format' in value && value.format === 'keta-conformance/1'
  if (!isReport) throw new Error('this is not a report of the conformance suite')
  return value as unknown as Report
}

const yes = (has: boolean) => (has ? 'yes' : 'no')

const CAPABILITY_ROWS: readonly (readonly [name: string, cell: (capabilities: Capabilities) => string])[] = [
  ['survives a restart of the store', ({ persistent }) => yes(persistent)],
  ['shared by several processes', ({ multiProcess }) => yes(multiProcess)],
  ['linearizable reads', ({ linearizableReads }) => yes(linearizableReads)],
  ['fences checked in the store', ({ atomicFencing }) => yes(atomicFencing)],
  ['scans of one moment', ({ snapshotScan }) => yes(snapshotScan)],
  ['transactions', ({ transactions }) => (transactions === false ? 'no' : `up to ${transactions.maxOps} operations`)],
  ['notifications', ({ notifications: { mode, maxLagMs } }) => `${mode}, within ${maxLagMs} ms`],
  ['shortest session', ({ session }) => `${session.minTtlMs} ms`],
]

function stateOf({ cases }: Guarantee, report: Report): string {
  const outcomes = cases.map((id) => report.cases.find((outcome) => outcome.id === id))
  const failed = outcomes.flatMap((outcome) => (outcome?.state === 'failed' ? [outcome.id] : []))
  const known = outcomes.flatMap((outcome) => (outcome?.state === 'expected-failure' ? [outcome.id] : []))
  if (failed.length > 0) return `✗ ${failed.join(', ')}`
  if (known.length > 0) return `✗ ${known.join(', ')} (known)`
  const passed = outcomes.filter((outcome) => outcome?.state === 'passed').length
  if (passed < cases.length) return `– ${cases.length - passed} of ${cases.length}`
  const refused = outcomes.flatMap((outcome) => (outcome?.isRefusal === true ? [outcome.id] : []))
  if (refused.length === cases.length) return 'refused'
  return refused.length === 0 ? '✓' : `✓, refused: ${ranges(refused)}`
}

/** `S1–S4, S7`: runs of three and more by their ends. */
export function ranges(ids: readonly string[]): string {
  const runs: string[][] = []
  for (const id of ids) {
    const last = runs.at(-1)
    if (last !== undefined && follows(last.at(-1) ?? '', id)) last.push(id)
    else runs.push([id])
  }
  return runs.map((run) => (run.length > 2 ? `${run[0] ?? ''}–${run.at(-1) ?? ''}` : run.join(', '))).join(', ')
}

function follows(before: string, id: string): boolean {
  return before.charAt(0) === id.charAt(0) && Number(before.slice(1)) + 1 === Number(id.slice(1))
}
