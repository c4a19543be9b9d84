import { expect } from 'chai'
import { runConformance } from '../../conformance/index.ts'
import { startSplitHarness } from './harness.fixture.ts'

describe('the conformance suite on two servers that know nothing of each other, given as one store', function () {
  this.timeout(120_000)

  // of cases with many clients, so that they do not all come to the same server by chance
  it('fails', async () => {
    const only = ['S17', 'S18', 'G3', 'X6']
    await using harness = await startSplitHarness()
    const { cases } = await runConformance(harness, { only })
    expect(Object.fromEntries(cases.map(({ id, state }) => [id, state]))).to.deep.equal(
      Object.fromEntries(only.map((id) => [id, 'failed'])),
    )
  })
})
