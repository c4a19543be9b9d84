import { expect } from 'chai'
import fc from 'fast-check'
import { compareKeys } from '../../spi/index.ts'
import { escapeId } from './layout.ts'
import { commonAncestor, stopsOf } from './values.ts'

const name = fc.string({ unit: fc.constantFrom('a', '!', '0', '\u{10000}', '\ue000'), minLength: 1, maxLength: 3 })
const key = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`)
const keys = fc.array(key, { maxLength: 30 }).map((all) => [...new Set(all)])

/** What a walk over these keys meets, in its order. */
function walk(all: readonly string[], at: string, range: { from: string; to: string }): readonly string[] {
  const prefix = at === '/' ? '/' : `${at}/`
  const children = new Set(
    all.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length).split('/')[0] ?? ''),
  )
  return stopsOf(at, [...children].map(escapeId), range).flatMap(({ key: stop, below }) => {
    if (below) return walk(all, stop, range)
    return all.includes(stop) ? [stop] : []
  })
}

describe('a walk through the tree', () => {
  it('meets all keys of a range, in the order of their bytes', () => {
    fc.assert(
      fc.property(keys, key, key, fc.boolean(), (all, one, other, whole) => {
        const [from = '', to = ''] = whole ? ['/', '0'] : [one, other].sort(compareKeys)
        const expected = all.filter((at) => compareKeys(at, from) >= 0 && compareKeys(at, to) < 0).sort(compareKeys)
        expect(walk(all, '/', { from, to })).to.deep.equal(expected)
      }),
    )
  })

  it('begins as deep as the range allows', () => {
    expect(commonAncestor({ from: '/', to: '0' })).to.equal('/')
    expect(commonAncestor({ from: '/a/b/', to: '/a/b0' })).to.equal('/a/b')
    expect(commonAncestor({ from: '/a/b/c\0', to: '/a/b0' })).to.equal('/a/b')
    expect(commonAncestor({ from: '/a/b/', to: '/a/c' })).to.equal('/a')
    fc.assert(
      fc.property(key, key, (one, other) => {
        const [from = '', to = ''] = [one, other].sort(compareKeys)
        const at = commonAncestor({ from, to })
        if (at === '/') return
        expect(from.startsWith(`${at}/`)).to.equal(true)
        expect(compareKeys(to, `${at}0`)).to.be.at.most(0)
      }),
    )
  })
})
