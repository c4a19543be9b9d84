import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { CaseOutcome } from '../kit/outcome.ts'
import { runCases } from '../kit/runner.ts'
import { type Fault, FAULTS } from './raw-faults.fixture.ts'
import { rawHarness } from './raw-locator.fixture.ts'
import { registryCases } from './registry.ts'
import { storageCases } from './storage.ts'

const cases = [...storageCases, ...registryCases]
const faults = Object.entries(FAULTS) as [Fault, string][]

describe('the cases of storage and registry, on a raw backend', function () {
  this.timeout(60_000)
  const historyFolder = mkdtempSync(join(tmpdir(), 'raw-'))
  after(() => rmSync(historyFolder, { recursive: true }))

  const run = (chosen: readonly ConformanceCase[], concurrency: number) => {
    const usual = { scale: 'quick', seed: '1', historyFolder, caseLimitMs: 10_000 } as const
    return runCases(rawHarness(), { ...usual, cases: chosen, concurrency })
  }

  it('pass if it is right, however it is built', async () => {
    const outcomes = await run(cases, 4)
    const failed = outcomes.filter(({ state }) => state === 'failed')
    expect(failed.map(({ id, failure }) => `${id}: ${failure?.message}`)).to.deep.equal([])
    expect(outcomes.filter(({ state }) => state === 'not-run').map(({ id }) => id)).to.deep.equal(['S22', 'R15'])
  })

  describe('fail if something is wrong:', () => {
    let outcomes: readonly CaseOutcome[]
    before(async () => {
      // side by side: many fail by waiting in vain
      outcomes = await run(
        faults.map(([fault, id]) => brokenCase(fault, id)),
        8,
      )
    })

    for (const [fault, id] of faults) {
      it(`${id} if there is ${fault}`, () => {
        expect(outcomes.find((outcome) => outcome.id === fault)?.state).to.equal('failed')
      })
    }
  })
})

/** The case, with clients of a store that has the fault. */
function brokenCase(fault: Fault, id: string): ConformanceCase {
  const original = cases.find((one) => one.id === id)
  if (original === undefined) throw new RangeError(`there is no case ${id}`)
  const broken = (given: Given): Given => ({
    ...given,
    party: (name, options) => given.party(name, { ...options, properties: { 'raw.fault': fault } }),
  })
  return { ...original, id: fault, run: (given) => original.run(broken(given)) }
}
