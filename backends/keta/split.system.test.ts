import { expect } from 'chai'
import { runConformance } from '../../conformance/index.ts'
import { startSplitHarness } from './harness.fixture.ts'

describe('the conformance suite on two servers that know nothing of each other, given as one store', function () {
  this.timeout(120_000)

  // one after the other, so that the clients of each of them are given the two servers in turn
  it('fails', async () => {
    const only = ['S17', 'S18', 'G3', 'X6']
    await using harness = await startSplitHarness()
    const { cases } = await runConformance(harness, { only, concurrency: 1 })
    expect(Object.fromEntries(cases.map(({ id, state }) => [id, state]))).to.deep.equal(
      Object.fromEntries(only.map((id) => [id, 'failed'])),
    )
  })
})
