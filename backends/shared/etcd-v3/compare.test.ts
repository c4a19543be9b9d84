import { expect } from 'chai'
import fc from 'fast-check'
import { equals, revisionOf } from './compare.ts'
import { leaseOf } from './leases.ts'

const KEY = Buffer.from('k')

describe('conditions on revisions', () => {
  it('compare with revisions as they are', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (revision) => {
        expect(equals(KEY, 'Mod', revision)).to.include({ target: 'Mod', mod_revision: revision.toString() })
        expect(revisionOf(revision.toString())).to.equal(revision)
      }),
    )
  })

  it('never hold for what is no revision: 0 would mean that the key is absent', () => {
    const none = fc.oneof(fc.bigInt({ max: 0n }), fc.bigInt({ min: 2n ** 63n }))
    fc.assert(
      fc.property(none, (revision) => {
        expect(equals(KEY, 'Create', revision)).to.include({ create_revision: '-1' })
        expect(revisionOf(revision.toString())).to.equal(undefined)
      }),
    )
    for (const text of ['', '01', '1.0', ' 1', 'a', '9223372036854775808']) expect(revisionOf(text)).to.equal(undefined)
  })

  it('can ask for a key that is absent', () => {
    expect(equals(KEY, 'Create', '0')).to.include({ create_revision: '0' })
  })
})

describe('a session’s id', () => {
  it('is its lease’s, as etcdctl shows it', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), (lease) => {
        expect(leaseOf(lease.toString(16))).to.equal(lease.toString())
      }),
    )
  })

  it('of another store is no lease', () => {
    for (const id of ['', 'x', '0x1', '-1', '11111111111111111']) expect(leaseOf(id)).to.equal('-1')
  })
})
