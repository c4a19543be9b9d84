import { expect } from 'chai'
import fc from 'fast-check'
import { EMPTY_KEY, FROM_KEY_END, type Key, type KeyRange, keyFromText, rangeOf } from '../bytes/key.ts'
import type { Permission } from '../command/auth-command.ts'
import { SERVER } from '../command/author.ts'
import { AuthStore } from './auth-store.ts'
import { Grants } from './grants.ts'

const READ = 0
const WRITE = 1
const READWRITE = 2

/** Auth is on; alice has two roles with these permissions between them. */
function grantsOf(permissions: readonly Permission[]): { store: AuthStore; grants: Grants; revision: number } {
  const store = new AuthStore({
    enabled: true,
    revision: 5,
    users: [
      { name: 'alice', passwordHash: '', noPassword: false, roles: ['even', 'odd'] },
      { name: 'root', passwordHash: '', noPassword: false, roles: ['root'] },
    ],
    roles: [
      { name: 'even', permissions: permissions.filter((_, index) => index % 2 === 0) },
      { name: 'odd', permissions: permissions.filter((_, index) => index % 2 === 1) },
    ],
  })
  return { store, grants: new Grants(store), revision: 5 }
}

const allow = (key: string, rangeEnd = '', type = READWRITE): Permission => ({
  type,
  key: keyFromText(key),
  rangeEnd: keyFromText(rangeEnd),
})

function mayRead(permissions: readonly Permission[], key: string, rangeEnd = ''): boolean {
  const { grants } = grantsOf(permissions)
  const alice = { user: 'alice', authRevision: 5 }
  return grants.mayRead(alice, keyFromText(key), keyFromText(rangeEnd)) === undefined
}

/**
 * Without merging anything: whatever a range lacks begins where the range begins, or where something granted ends.
 */
function naivelyCovered(permissions: readonly Permission[], types: readonly number[], asked: KeyRange): boolean {
  const ranges = permissions
    .filter(({ type }) => types.includes(type))
    .map(({ key, rangeEnd }) => rangeOf(key, rangeEnd))
  const has = (point: Key): boolean => ranges.some(({ start, end }) => start <= point && (end === null || point < end))
  const inside = (point: Key): boolean => point > asked.start && (asked.end === null || point < asked.end)
  const ends = ranges.flatMap(({ end }) => (end !== null && inside(end) ? [end] : []))
  return [asked.start, ...ends].every(has)
}

const text = fc.constantFrom('a', 'a\0', 'aa', 'b', 'b\0', 'c', 'd', '\xff')
const permission: fc.Arbitrary<Permission> = fc
  .record({ type: fc.integer({ min: 0, max: 3 }), key: text, end: fc.oneof(text, fc.constantFrom('', '\0')) })
  .filter(({ key, end }) => end === '' || end === '\0' || key < end)
  .map(({ type, key, end }) => ({ type, key: key as Key, rangeEnd: end as Key }))

describe('what is granted', () => {
  it('is everything while auth is off, to anybody', () => {
    const grants = new Grants(new AuthStore())
    expect(grants.mayRead(undefined, EMPTY_KEY, FROM_KEY_END)).to.equal(undefined)
    expect(grants.mayWrite(undefined, keyFromText('k'))).to.equal(undefined)
    expect(grants.isRoot(undefined)).to.equal(undefined)
    expect(grants.isSomebody(undefined)).to.equal(undefined)
  })

  it('is a range to whoever may touch all of it: to contain it counts, not to overlap it (a hole of Java Keta)', () => {
    const permissions = [allow('a', 'b')]
    expect(mayRead(permissions, 'a', 'b')).to.equal(true)
    expect(mayRead(permissions, 'a')).to.equal(true)
    expect(mayRead(permissions, 'azz')).to.equal(true)
    expect(mayRead(permissions, 'a', 'c')).to.equal(false)
    expect(mayRead(permissions, 'a', '\0')).to.equal(false)
    expect(mayRead(permissions, '\0', '\0')).to.equal(false)
  })

  it('ends before the end of its range (a hole of Java Keta)', () => {
    expect(mayRead([allow('a', 'b')], 'b')).to.equal(false)
  })

  it('is a range that several permissions of several roles make up', () => {
    expect(mayRead([allow('a', 'b'), allow('b', 'c')], 'a', 'c')).to.equal(true)
    expect(mayRead([allow('a', 'b'), allow('aa', 'c')], 'a', 'c')).to.equal(true)
    expect(mayRead([allow('a', 'b'), allow('b\0', 'c')], 'a', 'c')).to.equal(false)
    expect(mayRead([allow('a'), allow('a\0', '\0')], 'a', '\0')).to.equal(true)
  })

  it('is reading and writing each by itself, as a model says that merges nothing', () => {
    fc.assert(
      fc.property(
        fc.array(permission, { maxLength: 7 }),
        text,
        fc.oneof(text, fc.constantFrom('', '\0')),
        (...given) => {
          const [permissions, key, end] = given as [Permission[], string, string]
          const asked = rangeOf(key as Key, end as Key)
          const { grants } = grantsOf(permissions)
          const alice = { user: 'alice', authRevision: 5 }
          const [read, write] = [
            grants.mayRead(alice, key as Key, end as Key),
            grants.mayWrite(alice, key as Key, end as Key),
          ]
          expect(read === undefined).to.equal(naivelyCovered(permissions, [READ, READWRITE], asked))
          expect(write === undefined).to.equal(naivelyCovered(permissions, [WRITE, READWRITE], asked))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('changes with the store', () => {
    const { store, grants } = grantsOf([allow('a', 'b')])
    const key = keyFromText('a')
    expect(grants.mayWrite({ user: 'alice', authRevision: 5 }, key)).to.equal(undefined)
    store.apply({ op: 'roleRevokePermission', role: 'even', key, rangeEnd: keyFromText('b') })
    expect(grants.mayWrite({ user: 'alice', authRevision: 6 }, key)).to.equal('PERMISSION_DENIED')
  })

  it('is nothing to whoever was recognised before the last change, and to nobody', () => {
    const { grants } = grantsOf([allow('\0', '\0')])
    const key = keyFromText('a')
    expect(grants.mayRead({ user: 'alice', authRevision: 4 }, key, EMPTY_KEY)).to.equal('AUTH_OLD_REVISION')
    expect(grants.mayRead({ user: 'root', authRevision: 4 }, key, EMPTY_KEY)).to.equal('AUTH_OLD_REVISION')
    expect(grants.mayRead(undefined, key, EMPTY_KEY)).to.equal('USER_EMPTY')
    expect(grants.mayRead({ user: 'gone', authRevision: 5 }, key, EMPTY_KEY)).to.equal('PERMISSION_DENIED')
  })

  it('is everything to root and to the server itself, and its own things to nobody else', () => {
    const { grants } = grantsOf([])
    expect(grants.mayWrite({ user: 'root', authRevision: 5 }, keyFromText('a'), FROM_KEY_END)).to.equal(undefined)
    expect(grants.mayWrite(SERVER, keyFromText('a'), FROM_KEY_END)).to.equal(undefined)
    expect(grants.isRoot({ user: 'root', authRevision: 1 })).to.equal(undefined)
    expect(grants.isRoot(SERVER)).to.equal(undefined)
    expect(grants.isRoot({ user: 'alice', authRevision: 5 })).to.equal('PERMISSION_DENIED')
    expect(grants.isRoot({ user: 'gone', authRevision: 5 })).to.equal('USER_NOT_FOUND')
    expect(grants.isRoot(undefined)).to.equal('USER_EMPTY')
    // Not the server, whatever it calls itself.
    expect(grants.isRoot({ user: '', authRevision: 0 })).to.equal('USER_EMPTY')
  })
})
