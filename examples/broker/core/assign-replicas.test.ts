import { expect } from 'chai'
import * as fc from 'fast-check'
import { BrokerError } from '../errors.ts'
import { assignReplicas } from './assign-replicas.ts'

describe('assignReplicas', () => {
  it('goes round the brokers, and shifts the others with each round', () => {
    // the example in the comment of Kafka's AdminUtils
    const assigned = assignReplicas([0, 1, 2, 3, 4], { partitions: 10, replicationFactor: 3 })
    expect([...assigned.values()]).to.deep.equal([
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
      [3, 4, 0],
      [4, 0, 1],
      [0, 2, 3],
      [1, 3, 4],
      [2, 4, 0],
      [3, 0, 1],
      [4, 1, 2],
    ])
  })

  it('gives each broker its share, and none twice the same partition', () => {
    const wishes = fc.record({
      brokers: fc.uniqueArray(fc.nat(50), { minLength: 1, maxLength: 9 }),
      rounds: fc.integer({ min: 1, max: 4 }),
      factor: fc.integer({ min: 1, max: 9 }),
      start: fc.record({ broker: fc.nat(20), shift: fc.nat(20) }),
    })
    fc.assert(
      fc.property(wishes, ({ brokers, rounds, factor, start }) => {
        const replicationFactor = Math.min(factor, brokers.length)
        const partitions = rounds * brokers.length
        const all = [...assignReplicas(brokers, { partitions, replicationFactor }, start).values()]
        for (const replicas of all) expect(new Set(replicas).size).to.equal(replicationFactor)
        for (const id of brokers) {
          expect(all.filter(([first]) => first === id)).to.have.lengthOf(rounds)
          expect(all.flat().filter((one) => one === id)).to.have.lengthOf(rounds * replicationFactor)
        }
      }),
    )
  })

  it('refuses what there are too few brokers for', () => {
    expect(() => assignReplicas([0, 1], { partitions: 1, replicationFactor: 3 })).to.throw(BrokerError, '2 brokers')
    expect(() => assignReplicas([0], { partitions: 0, replicationFactor: 1 })).to.throw(BrokerError)
    expect(() => assignReplicas([0], { partitions: 1, replicationFactor: 0 })).to.throw(BrokerError)
  })
})
