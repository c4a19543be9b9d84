/** Readiness and its listeners. */
import { expect } from 'chai'
import { NodeReadiness } from './readiness.ts'

describe('readiness', () => {
  it('tells listeners of changes only, until they unsubscribe', () => {
    const readiness = new NodeReadiness()
    const seen: boolean[] = []
    const unsubscribe = readiness.onChange(() => seen.push(readiness.serving))
    for (const serving of [false, true, true, false]) readiness.set(serving)
    unsubscribe()
    readiness.set(true)
    expect(seen).to.deep.equal([true, false])
  })
})
