/** The catalogue as a table for the README. */
import type { ConformanceCase, Need } from './kit/case.ts'

const NEEDS: Readonly<Partial<Record<Need, string>>> = {
  processes: 'several processes',
  links: 'a network',
}

/** Markdown. */
export function catalogueTable(cases: readonly ConformanceCase[]): string {
  const rows = cases.map((one) => `| ${one.id} | ${one.title.replaceAll('|', '\\|')} | ${needsOf(one)} |\n`)
  return `| case | the backend … | needs |\n|---|---|---|\n${rows.join('')}`
}

function needsOf({ needs = [], capability, otherwise }: ConformanceCase): string {
  const words = needs.map((need) => NEEDS[need] ?? `hook \`${need}\``)
  if (capability !== undefined) {
    words.push(`\`${capability}\`${otherwise === undefined ? '' : ' (else: it must be refused)'}`)
  }
  return words.join(', ')
}
