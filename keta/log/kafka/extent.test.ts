import { expect } from 'chai'
import { Extent } from './extent.ts'

describe('the extent of a log in Kafka, as far as a node has heard', () => {
  it('counts what is appended, and not a second time when it is read', () => {
    const extent = new Extent(10, 20, 1000)
    extent.holds(20, 25, 500)
    extent.holds(10, 25, 1500)
    expect([extent.startOffset, extent.endOffset, extent.sizeBytes]).to.deep.equal([10, 25, 1500])
  })

  it('counts the share of a batch that is new, also when its end was heard of before', () => {
    const extent = new Extent(0, 10, 100)
    extent.ends(30)
    extent.holds(5, 15, 100)
    expect([extent.endOffset, extent.sizeBytes]).to.deep.equal([30, 150])
  })

  it('shrinks with what is dropped, down to nothing', () => {
    const extent = new Extent(0, 100, 1000)
    extent.begins(25)
    expect([extent.startOffset, extent.sizeBytes]).to.deep.equal([25, 750])
    extent.begins(100)
    expect([extent.startOffset, extent.endOffset, extent.sizeBytes]).to.deep.equal([100, 100, 0])
  })

  it('never moves back', () => {
    const extent = new Extent(10, 20, 100)
    extent.begins(5)
    extent.ends(15)
    extent.holds(12, 15, 50)
    expect([extent.startOffset, extent.endOffset, extent.sizeBytes]).to.deep.equal([10, 20, 100])
  })
})
