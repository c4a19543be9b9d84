import { expect } from 'chai'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue } from './cases/index.ts'
import { GUARANTEES } from './guarantees.ts'
import { FAKE_CAPABILITIES } from './kit/fake-locator.fixture.ts'
import type { CaseOutcome } from './kit/outcome.ts'
import { badgeLine, makeReport, type Report, reportMarkdown, writeReport } from './report.ts'
import { combined, conformanceMatrix, insertMatrix, parseReport, ranges } from './report-matrix.ts'

const passed = (id: string): CaseOutcome => ({ id, title: `does ${id}`, state: 'passed', durationMs: 12 })
const failure = { message: 'expected | to hold\n  and more', stack: '' }
const failed = (id: string): CaseOutcome => ({ ...passed(id), state: 'failed', failure })
const notRun = (id: string): CaseOutcome => ({
  ...passed(id),
  state: 'not-run',
  reason: 'no hook compact',
  durationMs: 0,
})
const measured = (id: string): CaseOutcome => ({
  ...passed(id),
  measuredMs: { 'until it was told': 7, 'in all': 9 },
})
const known = (id: string): CaseOutcome => ({ ...failed(id), state: 'expected-failure', reason: 'see there' })

function reportOf(name: string, cases: readonly CaseOutcome[]): Report {
  const harness = { name, expect: FAKE_CAPABILITIES, sessionTtlMs: 800 }
  return makeReport(harness, { seed: 'abc', scale: 'quick', only: undefined }, new Date(0), cases)
}

describe('the report of a run', () => {
  const report = reportOf('Acme (3 nodes)', [passed('S1'), failed('S2'), notRun('S3'), known('S4'), measured('S5')])

  it('counts what was not run, and what was expected to fail, apart', () => {
    expect(badgeLine(report)).to.equal('2 passed, 1 failed, 1 not run, 1 expected failures')
  })

  it('says of each case what became of it and why, one line each', () => {
    const text = reportMarkdown(report)
    expect(text)
      .to.include('# Conformance of Acme (3 nodes)')
      .and.include(`**${badgeLine(report)}**`)
    expect(text.split('\n').filter((line) => /^\| S\d/.test(line))).to.deep.equal([
      '| S1 | does S1 | passed | 12 |  |',
      '| S2 | does S2 | **FAILED** | 12 | expected \\| to hold · and more |',
      '| S3 | does S3 | not run | 0 | no hook compact |',
      '| S4 | does S4 | fails, as expected | 12 | see there: expected \\| to hold · and more |',
      '| S5 | does S5 | passed | 12 | until it was told: 7 ms; in all: 9 ms |',
    ])
  })

  it('is written under the name of the backend, and read again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-test-'))
    try {
      const [json, markdown] = await writeReport(join(folder, 'new'), report)
      expect(json).to.equal(join(folder, 'new', 'acme-3-nodes.json'))
      expect(parseReport(readFileSync(json, 'utf8'))).to.deep.equal(JSON.parse(JSON.stringify(report)))
      expect(readFileSync(markdown, 'utf8')).to.equal(reportMarkdown(report))
    } finally {
      rmSync(folder, { recursive: true })
    }
    expect(() => parseReport('{}')).to.throw('not a report')
  })
})

describe('the matrix of backends', () => {
  const [guarantee] = GUARANTEES.filter(({ cases }) => cases.length > 2)
  const ids = guarantee?.cases ?? []
  const cellOf = (outcomes: readonly CaseOutcome[]) => {
    const row = conformanceMatrix([reportOf('acme', outcomes)])
      .split('\n')
      .find((line) => line.includes(guarantee?.promise ?? '?'))
    return row?.split(' | ')[1]?.replace(/ \|$/, '')
  }

  it('grants a guarantee only when all of its cases have passed', () => {
    expect(cellOf(ids.map(passed))).to.equal('✓')
    expect(cellOf(ids.map((id, at) => (at === 0 ? failed(id) : passed(id))))).to.equal(`✗ ${ids[0] ?? ''}`)
    expect(cellOf(ids.map((id, at) => (at === 0 ? known(id) : passed(id))))).to.equal(`✗ ${ids[0] ?? ''} (known)`)
    expect(cellOf(ids.map((id, at) => (at === 0 ? notRun(id) : passed(id))))).to.equal(`– 1 of ${ids.length}`)
  })

  it('takes a case that is missing in the report for one that was not run', () => {
    expect(cellOf([])).to.equal(`– ${ids.length} of ${ids.length}`)
    expect(cellOf(ids.slice(1).map(passed))).to.equal(`– 1 of ${ids.length}`)
  })

  it('does not take a refusal for the promise', () => {
    expect(cellOf(ids.map((id) => ({ ...passed(id), isRefusal: true as const })))).to.equal('refused')
    expect(cellOf(ids.map((id, at) => (at === 0 ? { ...passed(id), isRefusal: true as const } : passed(id))))).to.equal(
      '✓, refused: L1',
    )
  })

  it('has a column for each backend, with what it says of itself', () => {
    const text = conformanceMatrix([reportOf('acme', []), reportOf('other', [])])
    expect(text).to.include('|  | acme | other |\n|---|---|---|\n')
    expect(text).to.include('| transactions | no | no |').and.include('| notifications | push, within 50 ms | push')
    for (const line of text.split('\n').filter((one) => one.startsWith('| '))) {
      expect(line.match(/ \|/g)?.length, line).to.equal(3)
    }
  })

  it('has one column for several runs on one backend, in which nothing bad is lost', () => {
    const one = reportOf('acme', [passed('S1'), notRun('S2'), passed('S3'), failed('S4'), notRun('S5')])
    const other = reportOf('acme with users', [failed('S1'), passed('S2'), known('S3'), passed('S4'), passed('S6')])
    const { backend, cases } = combined(one, [other])
    expect(backend).to.equal('acme')
    expect(cases.map(({ id, state }) => `${id} ${state}`)).to.deep.equal([
      ...['S1 failed', 'S2 passed', 'S3 expected-failure', 'S4 failed', 'S5 not-run', 'S6 passed'],
    ])
  })

  it('goes between its two markers, again and again', () => {
    const markers = [
      '<!-- conformance matrix: written by `keta conformance matrix` -->',
      '<!-- end of the conformance matrix -->',
    ]
    const once = insertMatrix(`before\n${markers.join('\n')}\nafter\n`, 'table\n')
    expect(once).to.equal(`before\n${markers[0] ?? ''}\ntable\n${markers[1] ?? ''}\nafter\n`)
    expect(insertMatrix(once, 'table\n')).to.equal(once)
    expect(() => insertMatrix('nothing', 'table\n')).to.throw('no markers')
  })

  it('names runs of cases by their ends', () => {
    expect(ranges(['S1', 'S2', 'S3', 'S5', 'S6', 'X7', 'L3a'])).to.equal('S1–S3, S5, S6, X7, L3a')
  })
})

describe('the guarantees', () => {
  it('are shown by cases that exist, and every case shows one', () => {
    const there = new Set(catalogue.map(({ id }) => id))
    const named = new Set(GUARANTEES.flatMap(({ cases }) => cases))
    expect(
      [...named].filter((id) => !there.has(id)),
      'cases that do not exist',
    ).to.deep.equal([])
    expect(
      [...there].filter((id) => !named.has(id)),
      'cases that no guarantee names',
    ).to.deep.equal([])
  })
})
