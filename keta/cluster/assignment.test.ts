import { expect } from 'chai'
import fc from 'fast-check'
import { assign } from './assignment.ts'
import type { MemberInfo } from './coordination.ts'

describe('the assignment of the leader', () => {
  it('names nobody when nobody is eligible, and still lists the members', () => {
    const { leader, members } = assign(1, [member(1n, { eligible: false }), member(2n, { eligible: false })])
    expect(leader).to.equal(undefined)
    expect(members.map(({ memberId }) => memberId)).to.deep.equal([1n, 2n])
  })

  it('keeps the incumbent whoever joins, however far the others have applied', () => {
    const incumbent = member(9n, { ledEpoch: 4, appliedOffset: 10 })
    expect(assign(1, [member(1n, { appliedOffset: 99 }), incumbent]).leader).to.equal(9n)
  })

  it('does not give the lead back to a leader of an older epoch', () => {
    const zombie = member(1n, { ledEpoch: 4, appliedOffset: 100 })
    expect(assign(1, [zombie, member(2n, { ledEpoch: 5, appliedOffset: 90 })]).leader).to.equal(2n)
  })

  it('passes over an incumbent that is not eligible any more', () => {
    expect(assign(1, [member(1n, { ledEpoch: 4, eligible: false }), member(2n)]).leader).to.equal(2n)
  })

  it('prefers whoever has applied most when nobody has led', () => {
    expect(assign(1, [member(1n, { appliedOffset: 5 }), member(2n, { appliedOffset: 7 })]).leader).to.equal(2n)
  })

  it('refuses the younger of two members with one URL, and tells which URL it is', () => {
    const urls = { clientUrls: ['http://a:2379'] }
    const { members, refused } = assign(1, [
      member(1n, { ...urls, startedAt: 20 }),
      member(2n, { ...urls, startedAt: 10 }),
    ])
    expect(members.map(({ memberId }) => memberId)).to.deep.equal([2n])
    expect(refused).to.deep.equal([{ memberId: 1n, startedAt: 20, conflict: 'the advertised URL http://a:2379' }])
  })

  it('does not depend on the order in which the members are listed', () => {
    const info = fc.record({
      memberId: fc.bigInt({ min: 1n, max: 4n }),
      eligible: fc.boolean(),
      ledEpoch: fc.nat(3),
      appliedOffset: fc.nat(3),
      startedAt: fc.nat(1000),
    })
    const members = fc.uniqueArray(info, { selector: ({ startedAt }) => startedAt, maxLength: 5 })
    fc.assert(
      fc.property(members, (infos) => {
        const joined = infos.map(({ memberId, ...rest }) => member(memberId, rest))
        expect(assign(1, joined)).to.deep.equal(assign(1, [...joined].reverse()))
      }),
    )
  })
})

function member(memberId: bigint, given: Partial<MemberInfo> = {}): MemberInfo {
  return {
    memberId,
    name: `n${memberId}`,
    clientUrls: [`http://n${memberId}:2379`],
    eligible: true,
    ledEpoch: 0,
    appliedOffset: -1,
    startedAt: 0,
    ...given,
  }
}
