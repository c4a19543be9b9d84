import { expect } from 'chai'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalogue } from '../../conformance/cases/index.ts'
import type { BackendHarness } from '../../conformance/harness.ts'
import { runCases } from '../../conformance/kit/runner.ts'
import { type MemoryHarness, startServedHarness } from './harness.fixture.ts'
import { MUTANTS } from './mutants.fixture.ts'

/** A case that every mutant passes: it works, but for what is broken in it. */
const WORKS = 'S1'
/** Mutants that hang need not be waited for as long as who only is slow. Milliseconds. */
const MUTANT_LIMIT_MS = 10_000

describe('the conformance suite on mutants of the reference backend', function () {
  this.timeout(120_000)
  this.slow(Infinity)
  let honest: MemoryHarness | undefined

  before(async () => {
    honest = await startServedHarness()
  })
  after(() => honest?.[Symbol.asyncDispose]())

  it('passes the backend itself, in all cases that are to catch a mutant', async () => {
    const passing = [...new Set([WORKS, ...MUTANTS.flatMap(({ caughtBy }) => caughtBy)])]
    expect(await surprises(honest!, passing, [])).to.deep.equal([])
  })

  for (const { caughtBy, ...species } of MUTANTS) {
    it(`fails ${species.name}, by ${caughtBy.join(' and by ')}`, async () => {
      const mutant: BackendHarness = { ...honest!, ...species }
      expect(await surprises(mutant, [WORKS], caughtBy)).to.deep.equal([])
    })
  }
})

/** What has become of the cases that is not expected. */
async function surprises(
  harness: BackendHarness,
  passing: readonly string[],
  failing: readonly string[],
): Promise<readonly string[]> {
  const outcomes = await runCases(harness, {
    cases: catalogue,
    only: [...passing, ...failing],
    scale: 'quick',
    seed: 'mutants',
    concurrency: 4,
    historyFolder: join(tmpdir(), 'keta-mutants'),
    ...(failing.length > 0 && { caseLimitMs: MUTANT_LIMIT_MS }),
  })
  return outcomes
    .filter(({ id, state }) => state !== (failing.includes(id) ? 'failed' : 'passed'))
    .map(({ id, state, failure }) => `${id} has ${state}: ${failure?.message ?? ''}`)
}
