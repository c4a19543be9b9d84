/** The state machine against a second, plainest possible statement of what commands mean. */
import { expect } from 'chai'
import fc from 'fast-check'
import { EMPTY_KEY } from '../bytes/key.ts'
import { command, txnCommand } from './commands.arbitraries.ts'
import { Model } from './model.fixture.ts'
import { plainResponse, plainVersion, Replica } from './replica.fixture.ts'

describe('the state machine, beside its model', () => {
  it('gives the same answers and refusals, and ends in the same state', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
        const [replica, model] = [new Replica(), new Model()]
        for (const each of commands) {
          const { response, failure } = replica.run(each)
          expect(failure ?? plainResponse(response)).to.deep.equal(model.run(each))
          expectSameState(replica, model)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('runs transactions alike on a store that is well filled', () => {
    fc.assert(
      fc.property(
        fc.array(command, { minLength: 10, maxLength: 20, size: 'max' }),
        fc.array(txnCommand, { maxLength: 30, size: 'max' }),
        (first, txns) => {
          const [replica, model] = [new Replica(), new Model()]
          for (const each of [...first.filter(({ kind }) => kind !== 'alarm'), ...txns]) {
            const { response, failure } = replica.run(each)
            expect(failure ?? plainResponse(response)).to.deep.equal(model.run(each))
          }
          expectSameState(replica, model)
        },
      ),
      { numRuns: 100 },
    )
  })
})

function expectSameState({ state: { store, leases } }: Replica, model: Model): void {
  expect(store.revision).to.equal(model.revision)
  expect(store.compactRevision).to.equal(model.compacted)
  const live = store.range({ start: EMPTY_KEY, end: null }, store.revision, 0).versions
  expect(live.map(plainVersion)).to.have.length(model.keys.size)
  for (const version of live) {
    const row = model.keys.get(version.key)
    expect(plainVersion(version)).to.deep.equal({ key: version.key, ...row, lease: Number(row?.lease) })
  }
  expect([...leases.leases()].map(({ id, ttl }) => [id, ttl])).to.deep.equal([...model.leases])
  for (const lease of leases.leases()) expect(lease.sortedKeys()).to.deep.equal(model.attachedKeys(lease.id))
}
