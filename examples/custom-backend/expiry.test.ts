import { expect } from 'chai'
import { ExpiryWatch, LONGEST_STEP_MS } from './expiry.ts'

const STEP = LONGEST_STEP_MS / 2

describe('watching sessions', () => {
  /** Looks at one session every STEP ms; how long until it is found silent. */
  function silentAfter(watch: ExpiryWatch, from: number, renewalAt: (now: number) => number): number {
    for (let now = from; now < from + 10_000; now += STEP) {
      if (watch.look(now, new Map([['a', { ttlMs: 1000, renewal: renewalAt(now) }]])).length > 0) return now - from
    }
    return Infinity
  }

  it('finds a session silent once it was watched for its time to live, from when it was first seen', () => {
    expect(silentAfter(new ExpiryWatch(), 5_000_000, () => 7)).to.equal(1000)
  })

  it('begins anew with each renewal', () => {
    expect(silentAfter(new ExpiryWatch(), 0, (now) => (now < 900 ? 1 : 2))).to.equal(1900)
    expect(silentAfter(new ExpiryWatch(), 0, (now) => Math.floor(now / 900))).to.equal(Infinity)
  })

  it('does not count what a clock jumps, nor the time for which nobody looked', () => {
    const watch = new ExpiryWatch()
    const session = new Map([['a', { ttlMs: 1000, renewal: 0 }]])
    watch.look(0, session)
    expect(watch.look(3_600_000, session)).to.deep.equal([])
    expect(silentAfter(watch, 3_600_000, () => 0)).to.equal(1000 - LONGEST_STEP_MS)
  })

  it('says which renewal it saw, and forgets sessions that are over', () => {
    const watch = new ExpiryWatch()
    const session = new Map([['a', { ttlMs: STEP, renewal: 3 }]])
    watch.look(0, session)
    expect(watch.look(STEP, session)).to.deep.equal([{ session: 'a', renewal: 3 }])
    watch.look(2 * STEP, new Map())
    expect(watch.look(3 * STEP, session)).to.deep.equal([])
  })
})
