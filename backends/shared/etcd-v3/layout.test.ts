import { expect } from 'chai'
import fc from 'fast-check'
import { compareKeys } from '../../../spi/index.ts'
import type { Seat } from '../driver.ts'
import { escapeId, Layout } from './layout.ts'

const id = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  fc.constantFrom('/', '%2F', 'a/b', '..', 'kv', 'leader', 'member', 'write', ' '),
)
const seat: fc.Arbitrary<Seat> = fc.oneof(
  fc.record({ kind: fc.constant('leader' as const), service: id }),
  fc.record({ kind: fc.constant('member' as const), group: id, id }),
)

function contains({ key, range_end }: { key: Buffer; range_end?: Buffer }, stored: Buffer): boolean {
  return range_end !== undefined && key.compare(stored) <= 0 && stored.compare(range_end) < 0
}

describe('the layout in etcd', () => {
  it('is the one that its documentation shows', () => {
    const layout = new Layout('/teams/billing', 'kafka')
    const texts = [
      layout.value('/brokers/ids/0'),
      layout.leader('controller'),
      layout.seat({ kind: 'member', group: 'brokers', id: 'a/b' }),
      layout.mark({ session: '694d', slot: 3 }),
    ]
    expect(texts.map(String)).to.deep.equal([
      '/teams/billing/kafka/kv/brokers/ids/0',
      '/teams/billing/kafka/leader/controller',
      '/teams/billing/kafka/member/brokers/a%2Fb',
      '/teams/billing/kafka/write/694d/3',
    ])
  })

  it('gives different seats of different clusters different keys', () => {
    fc.assert(
      fc.property(fc.tuple(id, seat), fc.tuple(id, seat), ([clusterA, a], [clusterB, b]) => {
        const same = JSON.stringify([clusterA, a]) === JSON.stringify([clusterB, b])
        const keys = [new Layout('', clusterA).seat(a), new Layout('', clusterB).seat(b)]
        expect(keys[0]?.equals(keys[1] ?? Buffer.alloc(0))).to.equal(same)
      }),
    )
  })

  it('keeps seats, marks and values apart, whatever their names', () => {
    fc.assert(
      fc.property(id, seat, id, (cluster, one, name) => {
        const layout = new Layout('', cluster)
        const mark = layout.mark({ session: name, slot: 0 })
        const value = layout.value(`/${name.replaceAll('/', '_')}`)
        expect(new Set([layout.seat(one), mark, value].map(String)).size).to.equal(3)
        expect(contains(layout.values('/', '0'), value)).to.equal(true)
        expect(contains(layout.values('/', '0'), mark)).to.equal(false)
        expect(contains(layout.values('/', '0'), layout.seat(one))).to.equal(false)
      }),
    )
  })

  it('finds the members of a group, and no other group’s', () => {
    fc.assert(
      fc.property(id, id, id, (group, other, member) => {
        const layout = new Layout('', 'kafka')
        const key = layout.seat({ kind: 'member', group: other, id: member })
        expect(contains(layout.members(group), key)).to.equal(group === other)
        expect(layout.memberOf(key)).to.equal(member)
      }),
    )
  })

  it('gives keys back as they were, in their order', () => {
    const key = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `/${text}`)
    fc.assert(
      fc.property(id, key, key, (cluster, a, b) => {
        const layout = new Layout('/x', cluster)
        expect(layout.keyOf(layout.value(a))).to.equal(a)
        expect(Math.sign(layout.value(a).compare(layout.value(b)))).to.equal(Math.sign(compareKeys(a, b)))
      }),
    )
  })

  it('escapes ids so that they are one segment', () => {
    fc.assert(
      fc.property(id, (text) => {
        expect(escapeId(text)).to.match(/^[\w%.!~*'()-]+$/)
        expect(decodeURIComponent(escapeId(text))).to.equal(text)
      }),
    )
  })
})
