import { expect } from 'chai'
import fc from 'fast-check'
import { childOf, versionOf } from '../../spi/index.ts'
import { KeySet } from './key-set.ts'

const state = { version: versionOf('1') }
const key = fc
  .array(fc.constantFrom('a', 'b', 'bc', 'b0'), { minLength: 1, maxLength: 3 })
  .map((parts) => `/n/${parts.join('/')}`)

describe('KeySet', () => {
  it('has the children that list would have, and says when they have changed', () => {
    const step = fc.oneof(
      fc.record({ reset: fc.array(key) }),
      fc.record({ changes: fc.array(fc.tuple(key, fc.boolean()), { maxLength: 4 }) }),
    )
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const set = new KeySet('/n')
        let keys = new Set<string>()
        const children = () => new Set([...keys].map((one) => childOf('/n', one)))
        for (const one of steps) {
          const before = children()
          let said
          if ('reset' in one) {
            keys = new Set(one.reset)
            said = set.reset(new Map(one.reset.map((name) => [name, state])))
          } else {
            for (const [name, there] of one.changes) {
              if (there) keys.add(name)
              else keys.delete(name)
            }
            said = set.apply(one.changes.map(([name, there]) => [name, there ? state : undefined] as const))
          }
          expect(set.names).to.deep.equal(children())
          expect(new Set(set.versions.keys())).to.deep.equal(keys)
          const after = children()
          expect(said).to.equal(before.size !== after.size || [...before].some((name) => !after.has(name)))
        }
      }),
    )
  })

  it('gives out sets that do not change', () => {
    const set = new KeySet('/')
    set.apply([['/a', state]])
    const { names } = set
    set.apply([['/b', state]])
    expect([...names]).to.deep.equal(['a'])
    expect(set.names).to.equal(set.names)
  })

  it('passes over keys from elsewhere', () => {
    const set = new KeySet('/a')
    expect(
      set.apply([
        ['/a', state],
        ['/ab', state],
      ]),
    ).to.equal(false)
    expect(set.names.size).to.equal(0)
  })
})
