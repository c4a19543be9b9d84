import { expect } from 'chai'
import { afterFetch, grownIsr, highWatermark, type Leading, shrunkIsr } from './in-sync.ts'

function leading(changes: Partial<Leading> = {}): Leading {
  return {
    me: 0,
    isr: [0, 1, 2],
    unsettled: [],
    endOffset: 10,
    epochStart: 5,
    highWatermark: 0,
    followers: new Map([
      [1, { endOffset: 8, caughtUpAt: 100 }],
      [2, { endOffset: 6, caughtUpAt: 100 }],
    ]),
    ...changes,
  }
}

describe('the high watermark', () => {
  it('is what all in sync have', () => {
    expect(highWatermark(leading())).to.equal(6)
    expect(highWatermark(leading({ isr: [0, 1] }))).to.equal(8)
    expect(highWatermark(leading({ isr: [0] }))).to.equal(10)
  })

  it('counts who is being taken in, or may be', () => {
    expect(highWatermark(leading({ isr: [0, 1], unsettled: [[0, 1, 2]] }))).to.equal(6)
  })

  it('counts who is being dropped until that is certain', () => {
    expect(highWatermark(leading({ unsettled: [[0, 1]] }))).to.equal(6)
  })

  it('waits for who has not been heard of, and never goes back', () => {
    expect(highWatermark(leading({ isr: [0, 3] }))).to.equal(0)
    expect(highWatermark(leading({ isr: [0, 3], highWatermark: 7 }))).to.equal(7)
  })
})

describe('the in-sync set', () => {
  const live = new Set([0, 1, 2, 3])

  it('loses who is behind for too long', () => {
    expect(shrunkIsr(leading(), { now: 200, maxLagMs: 100, live })).to.equal(undefined)
    expect(shrunkIsr(leading(), { now: 201, maxLagMs: 100, live })).to.deep.equal([0])
  })

  it('loses who is gone, at once, and never the leader', () => {
    expect(shrunkIsr(leading(), { now: 100, maxLagMs: 100, live: new Set([2]) })).to.deep.equal([0, 2])
  })

  it('gains who has everything that may have been acknowledged', () => {
    const replicas = [0, 1, 2]
    const of = (endOffset: number, mark: number) =>
      grownIsr(leading({ isr: [0], highWatermark: mark, followers: new Map([[1, { endOffset, caughtUpAt: 0 }]]) }), {
        replicas,
        removing: [],
        live,
      })
    expect(of(7, 7)).to.deep.equal([0, 1])
    expect(of(6, 7), 'behind the mark').to.equal(undefined)
    expect(of(4, 3), 'before the leader’s own records').to.equal(undefined)
  })

  it('gains nobody who is gone, or has no replica', () => {
    const behind = leading({ isr: [0], epochStart: 0 })
    expect(grownIsr(behind, { replicas: [0, 2], removing: [], live: new Set([1]) })).to.equal(undefined)
  })

  it('gains nobody who is being moved away, once all others are in sync', () => {
    const moving = { replicas: [0, 1, 2], removing: [2], live }
    expect(grownIsr(leading({ isr: [0], epochStart: 0 }), moving)).to.deep.equal([0, 1, 2])
    expect(grownIsr(leading({ isr: [0, 1], epochStart: 0 }), moving)).to.equal(undefined)
  })
})

describe('a follower’s progress', () => {
  it('has caught up when it has all that there is, or was when it asked before', () => {
    const first = afterFetch({ endOffset: 0, caughtUpAt: 0 }, { offset: 3, leaderEnd: 5, now: 10 })
    expect(first.caughtUpAt).to.equal(0)
    const second = afterFetch(first, { offset: 5, leaderEnd: 9, now: 20 })
    expect(second).to.include({ endOffset: 5, caughtUpAt: 10 })
    expect(afterFetch(second, { offset: 9, leaderEnd: 9, now: 30 }).caughtUpAt).to.equal(30)
    expect(afterFetch(second, { offset: 8, leaderEnd: 12, now: 30 }).caughtUpAt).to.equal(10)
  })
})
