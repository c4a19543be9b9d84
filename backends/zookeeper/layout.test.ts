import { expect } from 'chai'
import fc from 'fast-check'
import type { Seat } from '../shared/driver.ts'
import { ancestorsOf, Layout } from './layout.ts'

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  fc.constantFrom(
    '/',
    '%2F',
    'a/b',
    '.',
    '..',
    '%2E',
    'kv',
    'zookeeper',
    ' ',
    '\u0001',
    '\u007f',
    '\ue000',
    '\ufff0',
    '😀',
  ),
)
const segment = text.filter((one) => !one.includes('/') && !one.includes('\0') && one !== '.' && one !== '..')
const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const seat: fc.Arbitrary<Seat> = fc.oneof(
  fc.record({ kind: fc.constant('leader' as const), service: text }),
  fc.record({ kind: fc.constant('member' as const), group: text, id: text }),
)

/** What PathUtils.validatePath of ZooKeeper says, of a path from the root. */
function isLegal(path: string): boolean {
  const names = path.slice(1).split('/')
  return (
    names.every((name) => name !== '' && name !== '.' && name !== '..') &&
    !/[\0-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]/.test(path)
  )
}

describe('the layout in ZooKeeper', () => {
  it('is the one that its documentation shows', () => {
    const layout = new Layout('/teams/billing', 'kafka')
    expect([
      layout.value('/brokers/ids/0'),
      layout.value('/100 %/..x'),
      layout.leader('controller'),
      layout.seat({ kind: 'member', group: 'brokers', id: 'a/b' }),
      layout.mark({ session: '0x694d', slot: 3 }),
    ]).to.deep.equal([
      '/teams/billing/kafka/kv/brokers/ids/0',
      '/teams/billing/kafka/kv/100 %25/..x',
      '/teams/billing/kafka/leader/controller',
      '/teams/billing/kafka/member/brokers/a%2Fb',
      '/teams/billing/kafka/write/0x694d-3',
    ])
    expect(layout.furniture.slice(0, 5)).to.deep.equal([
      '/teams',
      '/teams/billing',
      '/teams/billing/kafka',
      '/teams/billing/kafka/kv',
      '/teams/billing/kafka/leader',
    ])
  })

  it('has names that ZooKeeper takes, and gives keys back', () => {
    fc.assert(
      fc.property(text, key, seat, (cluster, one, place) => {
        const layout = new Layout('', cluster)
        for (const path of [layout.root, layout.value(one), layout.seat(place), layout.guardOf(layout.value(one))]) {
          expect(isLegal(path), path).to.equal(true)
        }
        expect(layout.keyOf(layout.value(one))).to.equal(one)
      }),
    )
  })

  it('gives different seats of different clusters different paths', () => {
    fc.assert(
      fc.property(fc.tuple(text, seat), fc.tuple(text, seat), ([clusterA, a], [clusterB, b]) => {
        const same = JSON.stringify([clusterA, a]) === JSON.stringify([clusterB, b])
        expect(new Layout('', clusterA).seat(a) === new Layout('', clusterB).seat(b)).to.equal(same)
      }),
    )
  })

  it('leaves what is ZooKeeper’s own alone', () => {
    expect(new Layout('', 'zookeeper').root).to.not.equal('/zookeeper')
    expect(new Layout('/mine', 'zookeeper').root).to.equal('/mine/zookeeper')
  })

  it('knows what is above a key, up to the values’ own znode', () => {
    const layout = new Layout('', 'c')
    expect(layout.parentsOf(layout.value('/a/b/c'))).to.deep.equal(['/c/kv/a', '/c/kv/a/b'])
    expect(layout.parentsOf(layout.value('/a'))).to.deep.equal([])
    expect(ancestorsOf('/a')).to.deep.equal([])
    expect(layout.keyOf('/c/leader/x')).to.equal(undefined)
    expect(layout.value('/')).to.equal('/c/kv')
  })

  it('spreads paths over guards that there are', () => {
    const layout = new Layout('', 'c')
    const guards = new Set(Array.from({ length: 1000 }, (_, at) => layout.guardOf(layout.value(`/brokers/ids/${at}`))))
    expect(guards.size).to.be.greaterThan(50)
    for (const guard of guards) expect(layout.furniture).to.include(guard)
  })
})
