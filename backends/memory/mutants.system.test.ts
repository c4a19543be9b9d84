import { expect } from 'chai'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue } from '../../conformance/cases/index.ts'
import type { BackendHarness } from '../../conformance/harness.ts'
import { runCases } from '../../conformance/kit/runner.ts'
import { type MemoryHarness, startServedHarness } from './harness.fixture.ts'
import { MUTANTS } from './mutants.fixture.ts'

/** A case that every mutant passes: it works, but for what is broken in it. */
const WORKS = 'S2'

describe('the conformance suite on mutants of the reference backend', function () {
  this.timeout(120_000)
  this.slow(Infinity)
  let honest: MemoryHarness | undefined

  before(async () => {
    honest = await startServedHarness()
  })
  after(() => honest?.[Symbol.asyncDispose]())

  it('passes the backend itself, in all cases that are to catch a mutant', async () => {
    const ids = [...new Set([WORKS, ...MUTANTS.flatMap(({ caughtBy }) => caughtBy)])]
    expect(await statesOf(honest!, ids)).to.deep.equal(Object.fromEntries(ids.map((id) => [id, 'passed'])))
  })

  for (const { name, locator, caughtBy } of MUTANTS) {
    it(`fails ${name}, by ${caughtBy.join(' and by ')}`, async () => {
      const mutant: BackendHarness = { ...honest!, name, locator }
      expect(await statesOf(mutant, [WORKS, ...caughtBy])).to.deep.equal({
        [WORKS]: 'passed',
        ...Object.fromEntries(caughtBy.map((id) => [id, 'failed'])),
      })
    })
  }
})

async function statesOf(harness: BackendHarness, only: readonly string[]): Promise<Record<string, string>> {
  const outcomes = await runCases(harness, {
    cases: catalogue,
    only,
    scale: 'quick',
    seed: 'mutants',
    concurrency: 4,
    historyFolder: join(tmpdir(), 'keta-mutants'),
    caseLimitMs: 10_000,
  })
  return Object.fromEntries(outcomes.map(({ id, state }) => [id, state]))
}
