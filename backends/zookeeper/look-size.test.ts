import { expect } from 'chai'
import { LookSize } from './look-size.ts'

describe('how much is looked at in one request', () => {
  it('grows while there is little, up to a bound', () => {
    const size = new LookSize()
    const sizes = [0, 1, 2, 3].map(() => {
      size.saw([10, 0, 20])
      return size.next
    })
    expect(size.next).to.equal(1000)
    expect([...sizes].sort((a, b) => a - b)).to.deep.equal(sizes)
    expect(sizes[0]).to.be.below(1000)
  })

  it('shrinks at once where there is much, down to one', () => {
    const size = new LookSize()
    for (let left = 4; left > 0; left--) size.saw([0])
    size.saw([100_000, 100_000])
    expect(size.next).to.equal(10)
    size.saw([5_000_000])
    expect(size.next).to.equal(1)
    size.saw([])
    expect(size.next).to.equal(1)
  })
})
