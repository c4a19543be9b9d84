import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Report } from './report.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SAMPLE = fileURLToPath(new URL('suite-sample.fixture.ts', import.meta.url))
const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')

interface Titled {
  readonly title: string
  readonly err: { readonly message?: string }
}

interface Result {
  readonly passes: readonly Titled[]
  readonly failures: readonly Titled[]
  readonly pending: readonly Titled[]
}

describe('the suite under mocha', function () {
  // three programs are started, one after another
  this.timeout(60_000)

  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'suite-test-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  async function runSample(environment: Record<string, string>, ...flags: string[]) {
    const output = join(folder, 'result.json')
    const args = [MOCHA, '--reporter', 'json', '--reporter-option', `output=${output}`, '--forbid-pending', ...flags]
    const env = { ...process.env, KETA_CASES: '', KETA_CONFORMANCE_REPORT: folder, ...environment }
    const stdout = await new Promise<string>((resolve) => {
      execFile(process.execPath, [...args, SAMPLE], { cwd: ROOT, env }, (_error, said) => resolve(said))
    })
    return { stdout, result: JSON.parse(readFileSync(output, 'utf8')) as Result }
  }

  it('makes a test of each case that can be run, and none of the others', async () => {
    const { stdout, result } = await runSample({})
    expect(result.passes.map(({ title }) => title)).to.deep.equal([
      'T1 passes',
      'T4 fails as expected – EXPECTED TO FAIL: known',
      'T6 transacts – not promised (transactions): must be refused',
      'T5 passes alone',
      'accounts for every case; 2 of them NOT RUN, see below',
    ])
    expect(result.failures.map(({ title }) => title)).to.deep.equal(['T2 fails'])
    expect(result.pending).to.deep.equal([])
    const message = result.failures[0]?.err.message
    expect(message).to.match(/^on purpose\n\(after \d+ ms; KETA_SEED=sample KETA_CASES=T2 with the same command/)
    expect(message).to.match(/\(what happened: .+T2-sample-\d+\.jsonl\)$/)
    expect(stdout).to.include('seed sample, scale quick, T 200 ms')
    expect(stdout).to.include('3 passed, 1 failed, 2 not run, 1 expected failures')
    expect(stdout).to.include('NOT RUN T3: the harness has no hook compact')
    expect(stdout).to.include('disposed of')
    const report = JSON.parse(readFileSync(join(folder, 'fake.json'), 'utf8')) as Report
    expect(report.cases.map(({ id, state }) => `${id} ${state}`)).to.deep.equal([
      ...['T1 passed', 'T2 failed', 'T3 not-run', 'T4 expected-failure', 'T5 passed', 'T6 passed', 'T7 not-run'],
    ])
  })

  it('fails for a case that is not run without being listed, if there is a list', async () => {
    const { result } = await runSample({ SAMPLE_STRICT: '1' })
    expect(result.failures.map(({ title }) => title)).to.deep.equal(['T2 fails', 'T7 needs another hook'])
    expect(result.failures[1]?.err.message).to.include('does not list it in notRun')
  })

  it('runs only what is chosen, by the environment or by mocha', async () => {
    const chosen = await runSample({ KETA_CASES: 'T1,T5' })
    const titles = ['T1 passes', 'T5 passes alone', 'accounts for every case']
    expect(chosen.result.passes.map(({ title }) => title)).to.deep.equal(titles)
    const filtered = await runSample({}, '-g', 'T5')
    expect(filtered.result.passes.map(({ title }) => title)).to.deep.equal(['T5 passes alone'])
  })
})
