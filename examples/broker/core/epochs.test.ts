import { expect } from 'chai'
import * as fc from 'fast-check'
import { endOfEpoch, type EpochStart, NO_EPOCH, truncationStep } from './epochs.ts'

/** A log is the epoch of each of its records. */
type Log = readonly number[]

function epochsOf(log: Log): readonly EpochStart[] {
  return log.flatMap((epoch, start) => (log[start - 1] === epoch ? [] : [{ epoch, start }]))
}

/** What a follower does until it knows what to keep. */
function truncated(follower: Log, leader: Log): Log {
  let log = follower
  let ask = log.at(-1)
  for (let steps = 0; ask !== undefined; steps++) {
    expect(steps).to.be.below(20)
    const answer = endOfEpoch(epochsOf(leader), leader.length, ask)
    const { to, askNext } = truncationStep(epochsOf(log), log.length, answer)
    log = log.slice(0, to)
    ask = askNext
  }
  return log
}

describe('leader epochs', () => {
  it('end where the next one begins', () => {
    const epochs = epochsOf([1, 1, 3, 3, 3])
    expect(endOfEpoch(epochs, 5, 1)).to.deep.equal({ epoch: 1, end: 2 })
    expect(endOfEpoch(epochs, 5, 2)).to.deep.equal({ epoch: 1, end: 2 })
    expect(endOfEpoch(epochs, 5, 9)).to.deep.equal({ epoch: 3, end: 5 })
    expect(endOfEpoch(epochs, 5, 0)).to.deep.equal({ epoch: NO_EPOCH, end: 0 })
  })

  it('say what a follower has to cut off', () => {
    expect(truncated([1, 1, 1], [1, 1, 2])).to.deep.equal([1, 1])
    expect(truncated([1, 1], [1, 1, 2])).to.deep.equal([1, 1])
    expect(truncated([1, 1, 2, 2], [1, 1, 3])).to.deep.equal([1, 1])
    expect(truncated([2, 2], [3])).to.deep.equal([])
    // two leaders came and went quickly: KIP-279
    expect(truncated([1, 3, 3], [1, 2, 4])).to.deep.equal([1])
  })

  it('leave of any two logs just what they have in common', () => {
    // a history: each leader begins from a prefix of some log, as its predecessor's followers had it, and adds its own
    const histories = fc.array(fc.record({ from: fc.nat(), keep: fc.nat(6), add: fc.nat(3) }), { maxLength: 8 })
    fc.assert(
      fc.property(histories, fc.nat(), fc.nat(), (leaders, a, b) => {
        const logs: number[][] = [[]]
        for (const [at, { from, keep, add }] of leaders.entries()) {
          const base = logs[from % logs.length] ?? []
          logs.push([...base.slice(0, keep), ...Array<number>(add).fill(at + 1)])
        }
        const follower = logs[a % logs.length] ?? []
        const leader = logs[b % logs.length] ?? []
        const kept = truncated(follower, leader)
        const common = follower.findIndex((epoch, at) => leader[at] !== epoch)
        expect(kept).to.deep.equal(common === -1 ? follower : follower.slice(0, common))
      }),
    )
  })
})
