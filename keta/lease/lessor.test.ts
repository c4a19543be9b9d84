/** The replicated part of leases. */
import { expect } from 'chai'
import { keyFromBytes, keyFromText } from '../bytes/key.ts'
import { Lessor, MAX_LEASE_TTL, raiseTtl } from './lessor.ts'

describe('Lessor', () => {
  it('refuses a grant in the order of etcd: no id, TTL too large, id taken', () => {
    const lessor = new Lessor()
    lessor.grant(5n, 60)
    expect(lessor.checkGrant(0n, MAX_LEASE_TTL + 1)).to.equal('LEASE_NOT_FOUND')
    expect(lessor.checkGrant(5n, MAX_LEASE_TTL + 1)).to.equal('LEASE_TTL_TOO_LARGE')
    expect(lessor.checkGrant(5n, 60)).to.equal('LEASE_EXISTS')
    expect(lessor.checkGrant(6n, MAX_LEASE_TTL)).to.equal(undefined)
    expect(lessor.checkGrant(-6n, 60)).to.equal(undefined)
  })

  it('raises a TTL below the minimum, also zero and negative ones', () => {
    expect([-5, 0, 1, 2, 3].map((ttl) => raiseTtl(ttl, 2))).to.deep.equal([2, 2, 2, 2, 3])
  })

  it('moves a key from lease to lease', () => {
    const lessor = new Lessor()
    lessor.grant(1n, 60)
    lessor.grant(2n, 60)
    const key = keyFromText('k')
    lessor.move(key, 0n, 1n)
    expect(lessor.get(1n)?.sortedKeys()).to.deep.equal([key])
    lessor.move(key, 1n, 2n)
    expect(lessor.get(1n)?.keyCount).to.equal(0)
    expect(lessor.get(2n)?.sortedKeys()).to.deep.equal([key])
    lessor.move(key, 2n, 0n)
    expect(lessor.get(2n)?.keyCount).to.equal(0)
  })

  it('lists attached keys in bytewise order', () => {
    const lessor = new Lessor()
    lessor.grant(1n, 60)
    const keys = [[0xff], [0x61, 0x62], [0x61], [0x00], [0x80]].map((bytes) => keyFromBytes(Uint8Array.from(bytes)))
    for (const key of keys) lessor.move(key, 0n, 1n)
    const hex = lessor
      .get(1n)
      ?.sortedKeys()
      .map((key) => Buffer.from(key, 'latin1').toString('hex'))
    expect(hex).to.deep.equal(['00', '61', '6162', '80', 'ff'])
  })

  it('forgets a revoked lease', () => {
    const lessor = new Lessor()
    lessor.grant(1n, 60)
    lessor.grant(2n, 30)
    lessor.revoke(1n)
    expect(lessor.has(1n)).to.equal(false)
    expect([...lessor.leases()].map(({ id, ttl }) => [id, ttl])).to.deep.equal([[2n, 30]])
    expect(lessor.size).to.equal(1)
  })

  it('fails loudly if a key is attached to a lease that does not exist', () => {
    expect(() => new Lessor().move(keyFromText('k'), 0n, 9n)).to.throw('lease 9')
  })
})
