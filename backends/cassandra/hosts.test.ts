import { expect } from 'chai'
import { orderHosts, Suspects } from './hosts.ts'

const host = (address: string) => ({ address })
const [a, b, c, d] = [host('a'), host('b'), host('c'), host('d')]
const nobody = () => false

describe('which server is asked', () => {
  it('is the first that has the data, in the order of the ring; then the others, always in the same order', () => {
    expect(orderHosts([c, a], [d, c, b, a], nobody)).to.deep.equal([c, a, b, d])
    expect(orderHosts([], [d, c], nobody)).to.deep.equal([c, d])
  })

  it('is none of another data center', () => {
    expect(orderHosts([c, a], [a, b], nobody)).to.deep.equal([a, b])
  })

  it('is one that did not answer only after all others', () => {
    expect(orderHosts([c, a], [a, b, c, d], (one) => one === c)).to.deep.equal([a, b, d, c])
    expect(orderHosts([c, a], [a, c], () => true)).to.deep.equal([c, a])
  })
})

describe('suspicion', () => {
  it('ends with an answer, or after a while', () => {
    let now = 0
    const suspects = new Suspects(1000, () => now)
    suspects.suspect('a')
    suspects.suspect('b')
    suspects.acquit('b')
    expect([suspects.has('a'), suspects.has('b'), suspects.any]).to.deep.equal([true, false, true])
    now = 1000
    expect([suspects.has('a'), suspects.any]).to.deep.equal([false, false])
  })
})
