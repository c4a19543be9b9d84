import { expect } from 'chai'
import { ownPorts } from './port-range.ts'

describe('the ports of runs side by side', () => {
  const range = { lowest: 10, end: 21 }

  it('are all of them for a run that is alone', () => {
    expect(ownPorts(range, '')).to.deep.equal(range)
  })

  it('are halves that have no port in common, and none is left over', () => {
    expect(ownPorts(range, 'lower')).to.deep.equal({ lowest: 10, end: 15 })
    expect(ownPorts(range, 'upper')).to.deep.equal({ lowest: 15, end: 21 })
  })
})
