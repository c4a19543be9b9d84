/** The leader's clockwork for leases. */
import { expect } from 'chai'
import fc from 'fast-check'
import { LeaseExpiry, RETRY_MS } from './expiry.ts'

describe('LeaseExpiry', () => {
  it('gives a lease its TTL from the grant on, and then lets it fall due exactly once', () => {
    const expiry = new LeaseExpiry()
    expiry.add(7n, 10, 1000)
    expect(expiry.remaining(7n, 1000)).to.equal(10_000)
    expect(expiry.nextDeadline()).to.equal(11_000)
    expect(expiry.takeDue(10_999, 10)).to.deep.equal([])
    expect(expiry.isExpired(7n, 10_999)).to.equal(false)
    expect(expiry.takeDue(11_000, 10)).to.deep.equal([7n])
    expect(expiry.takeDue(12_000, 10)).to.deep.equal([])
    expect(expiry.isExpired(7n, 12_000)).to.equal(true)
    expect(expiry.remaining(7n, 12_000)).to.equal(-1000)
    expect(expiry.nextDeadline()).to.equal(undefined)
  })

  it('gives a renewed lease its full TTL from then on', () => {
    const expiry = new LeaseExpiry()
    expiry.add(1n, 10, 0)
    expect(expiry.renew(1n, 9000)).to.equal(true)
    expect(expiry.nextDeadline()).to.equal(19_000)
    expect(expiry.takeDue(10_000, 10)).to.deep.equal([])
    expect(expiry.takeDue(19_000, 10)).to.deep.equal([1n])
  })

  it('does not renew a lease that has expired, or that it does not know', () => {
    const expiry = new LeaseExpiry()
    expiry.add(1n, 10, 0)
    expect(expiry.renew(1n, 10_000)).to.equal(false)
    expect(expiry.renew(2n, 0)).to.equal(false)
    expect(expiry.remaining(2n, 0)).to.equal(undefined)
    expect(expiry.isExpired(2n, 0)).to.equal(false)
  })

  it('gives at most as many due leases as asked for, longest overdue first, ties in order of grant', () => {
    const expiry = new LeaseExpiry()
    expiry.add(1n, 5, 0)
    expiry.add(2n, 3, 0)
    expiry.add(3n, 3, 0)
    expect(expiry.takeDue(9000, 2)).to.deep.equal([2n, 3n])
    expect(expiry.takeDue(9000, 2)).to.deep.equal([1n])
  })

  it('brings a lease up again some time after its revoke failed', () => {
    const expiry = new LeaseExpiry()
    expiry.add(1n, 1, 0)
    expiry.takeDue(1000, 1)
    expiry.retry(1n, 2000)
    expiry.retry(1n, 2000)
    expect(expiry.takeDue(2000 + RETRY_MS - 1, 9)).to.deep.equal([])
    expect(expiry.takeDue(2000 + RETRY_MS, 9)).to.deep.equal([1n])
  })

  it('forgets a revoked lease, and takes a later one of the same id for another', () => {
    const expiry = new LeaseExpiry()
    expiry.add(1n, 1, 0)
    expiry.remove(1n)
    expect(expiry.nextDeadline()).to.equal(undefined)
    expiry.add(1n, 1, 0)
    expiry.remove(1n)
    expiry.add(1n, 100, 0)
    expect(expiry.takeDue(50_000, 9)).to.deep.equal([])
    expect(expiry.takeDue(100_000, 9)).to.deep.equal([1n])
  })

  it('re-arms every lease with its full TTL when a leader begins, and forgets what it had', () => {
    const expiry = new LeaseExpiry()
    expiry.add(9n, 1, 0)
    expiry.promote(
      [
        { id: 1n, ttl: 5 },
        { id: 2n, ttl: 2 },
      ],
      1000,
      500,
    )
    expect(expiry.size).to.equal(2)
    expect(expiry.remaining(1n, 1000)).to.equal(5500)
    expect(expiry.idsByDeadline()).to.deep.equal([2n, 1n])
    expect(expiry.nextDeadline()).to.equal(3500)
  })

  it('lists leases by deadline, not by grant, after renewals', () => {
    const expiry = new LeaseExpiry()
    for (const id of [1n, 2n, 3n]) expiry.add(id, 10, Number(id))
    expiry.renew(1n, 500)
    expect(expiry.idsByDeadline()).to.deep.equal([2n, 3n, 1n])
  })

  it('behaves like a plain table of deadlines, whatever happens in whatever order', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'remove', 'renew', 'take', 'retry'),
      id: fc.bigInt({ min: 1n, max: 6n }),
      ttl: fc.integer({ min: 1, max: 5 }),
      wait: fc.integer({ min: 0, max: 600 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const expiry = new LeaseExpiry()
        const table = new Map<bigint, { ttl: number; deadline: number; comesUp: number | undefined }>()
        let now = 0
        for (const { what, id, ttl, wait } of steps) {
          now += wait
          const row = table.get(id)
          if (what === 'add') {
            expiry.add(id, ttl, now)
            table.set(id, { ttl, deadline: now + ttl * 1000, comesUp: now + ttl * 1000 })
          } else if (what === 'remove') {
            expiry.remove(id)
            table.delete(id)
          } else if (what === 'renew') {
            expect(expiry.renew(id, now)).to.equal(row !== undefined && row.deadline > now)
            if (row !== undefined && row.deadline > now) row.comesUp = row.deadline = now + row.ttl * 1000
          } else if (what === 'retry') {
            expiry.retry(id, now)
            if (row !== undefined) row.comesUp ??= now + RETRY_MS
          } else {
            const due = [...table].filter(([, { comesUp }]) => comesUp !== undefined && comesUp <= now)
            expect(new Set(expiry.takeDue(now, 100))).to.deep.equal(new Set(due.map(([each]) => each)))
            for (const [, taken] of due) taken.comesUp = undefined
          }
          const next = Math.min(...[...table.values()].map(({ comesUp }) => comesUp ?? Infinity))
          expect(expiry.nextDeadline() ?? Infinity).to.equal(next)
        }
      }),
    )
  })

  it('gives the memory of removed leases back, long before they would have expired', () => {
    const expiry = new LeaseExpiry()
    for (let id = 1n; id <= 5000n; id++) {
      expiry.add(id, 1_000_000, 0)
      if (id > 10n) expiry.remove(id)
    }
    expect(expiry.size).to.equal(10)
    expect(expiry.scheduledEntries).to.be.below(100)
    expect(expiry.takeDue(1e9, 100)).to.have.length(10)
  })
})
