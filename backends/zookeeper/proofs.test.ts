import { expect } from 'chai'
import type { Moment } from './connection/client.ts'
import { Proofs } from './proofs.ts'

const TICK_MS = 500

function at(ms: number): Moment {
  return { steady: ms, clock: ms + 1_000_000 }
}

/** A check that was sent then, and answered so much later. */
function checks(
  proofs: Proofs,
  established: Moment,
  ...all: readonly (readonly [sent: number, tookMs: number])[]
): number {
  for (const [sent, tookMs] of all) proofs.answered(at(sent), established, sent + tookMs)
  return proofs.since.steady
}

describe('what the leader surely knows of a session', () => {
  it('is at first that it was asked for', () => {
    expect(new Proofs(TICK_MS, at(100)).since).to.deep.equal(at(100))
  })

  it('is not that a check was answered: the follower may not have told of it', () => {
    const established = at(0)
    expect(checks(new Proofs(TICK_MS, established), established, [10, 5], [200, 5])).to.equal(0)
  })

  it('is an earlier check, once the leader must have asked since', () => {
    const established = at(0)
    const proofs = new Proofs(TICK_MS, established)
    // gaps of 100 ms and 5 ms on the way: 355 ms after it was answered
    expect(checks(proofs, established, [100, 5], [200, 5], [300, 5], [400, 5])).to.equal(0)
    expect(checks(proofs, established, [500, 5])).to.equal(100)
    expect(proofs.since).to.deep.equal(at(100))
    expect(checks(proofs, established, [600, 5])).to.equal(200)
  })

  it('waits for longer when the leader may have stood still', () => {
    const established = at(0)
    const proofs = new Proofs(TICK_MS, established)
    // 900 ms lie between two signs of it
    expect(checks(proofs, established, [100, 5], [200, 800], [1010, 5], [1100, 5])).to.equal(0)
    expect(checks(proofs, established, [1200, 5])).to.equal(0)
    expect(checks(proofs, established, [1300, 5])).to.equal(100)
    expect(checks(proofs, established, [1400, 5])).to.equal(1010)
  })

  it('is that the connection was taken up again', () => {
    const proofs = new Proofs(TICK_MS, at(0))
    const again = at(700)
    // sent before there was the connection that it went over
    expect(checks(proofs, again, [650, 100])).to.equal(700)
    expect(checks(proofs, again, [750, 5])).to.equal(700)
    // what was known of the last connection counts for nothing on this one
    expect(checks(proofs, again, [900, 5], [1000, 5])).to.equal(700)
  })

  it('does not go back for what is answered out of turn', () => {
    const established = at(0)
    const proofs = new Proofs(TICK_MS, established)
    checks(proofs, established, [100, 5], [200, 5], [300, 5], [400, 5], [500, 5], [600, 5])
    expect(checks(proofs, established, [350, 300])).to.equal(200)
    expect(checks(proofs, established, [2000, 5])).to.be.at.least(200)
  })
})
