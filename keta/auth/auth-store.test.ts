import { expect } from 'chai'
import fc from 'fast-check'
import { EMPTY_KEY, keyFromText } from '../bytes/key.ts'
import { ProtoReader } from '../bytes/proto-reader.ts'
import type { AuthChange } from '../command/auth-command.ts'
import { authChange } from '../command/auth.arbitraries.ts'
import { decodeAuthImage, encodeAuthImage } from './auth-image.ts'
import { AuthStore } from './auth-store.ts'

const permission = (key: string, rangeEnd = '', type = 2) => ({
  type,
  key: keyFromText(key),
  rangeEnd: keyFromText(rangeEnd),
})
const userAdd = (user: string): AuthChange => ({ op: 'userAdd', user, passwordHash: 'hash', noPassword: false })

/** A store in which these changes were made, each of which must be allowed. */
function storeAfter(...changes: readonly AuthChange[]): AuthStore {
  const store = new AuthStore()
  for (const change of changes) expect(store.apply(change), JSON.stringify(change)).to.equal(undefined)
  return store
}

const ROOT_EXISTS = [userAdd('root'), { op: 'userGrantRole', user: 'root', role: 'root' }] as const

describe('the auth store', () => {
  it('begins with nobody, turned off, at revision 1', () => {
    expect(new AuthStore().image).to.deep.equal({ enabled: false, revision: 1, users: [], roles: [] })
  })

  it('counts every change of users and roles, but neither turning on nor a role that is granted again', () => {
    const store = storeAfter(...ROOT_EXISTS)
    expect(store.revision).to.equal(3)
    expect(store.apply({ op: 'userGrantRole', user: 'root', role: 'root' })).to.equal(undefined)
    expect(store.apply({ op: 'enable' })).to.equal(undefined)
    expect(store.apply({ op: 'enable' })).to.equal(undefined)
    expect(store.revision).to.equal(3)
    expect(store.apply({ op: 'disable' })).to.equal(undefined)
    expect(store.apply({ op: 'disable' })).to.equal(undefined)
    expect(store.revision).to.equal(4)
  })

  it('is turned on only with a root who has the role root', () => {
    const store = new AuthStore()
    expect(store.apply({ op: 'enable' })).to.equal('ROOT_USER_MISSING')
    store.apply(userAdd('root'))
    expect(store.apply({ op: 'enable' })).to.equal('ROOT_ROLE_MISSING')
    // The role itself need not exist.
    store.apply({ op: 'userGrantRole', user: 'root', role: 'root' })
    expect(store.apply({ op: 'enable' })).to.equal(undefined)
  })

  it('keeps root and its role while it is on', () => {
    const store = storeAfter(...ROOT_EXISTS, { op: 'roleAdd', role: 'root' }, { op: 'enable' })
    expect(store.apply({ op: 'userDelete', user: 'root' })).to.equal('INVALID_AUTH_MANAGEMENT')
    expect(store.apply({ op: 'userRevokeRole', user: 'root', role: 'root' })).to.equal('INVALID_AUTH_MANAGEMENT')
    expect(store.apply({ op: 'roleDelete', role: 'root' })).to.equal('INVALID_AUTH_MANAGEMENT')
    store.apply({ op: 'disable' })
    expect(store.apply({ op: 'roleDelete', role: 'root' })).to.equal(undefined)
    expect(store.user('root')?.roles).to.deep.equal([])
  })

  const refusals: readonly (readonly [AuthChange, string])[] = [
    [userAdd(''), 'USER_EMPTY'],
    [userAdd('there'), 'USER_EXISTS'],
    [{ op: 'userDelete', user: 'none' }, 'USER_NOT_FOUND'],
    [{ op: 'userChangePassword', user: 'none', passwordHash: '' }, 'USER_NOT_FOUND'],
    [{ op: 'userGrantRole', user: 'none', role: 'there' }, 'USER_NOT_FOUND'],
    [{ op: 'userGrantRole', user: 'there', role: 'none' }, 'ROLE_NOT_FOUND'],
    [{ op: 'userRevokeRole', user: 'none', role: 'there' }, 'USER_NOT_FOUND'],
    [{ op: 'userRevokeRole', user: 'there', role: 'there' }, 'ROLE_NOT_GRANTED'],
    [{ op: 'roleAdd', role: '' }, 'ROLE_EMPTY'],
    [{ op: 'roleAdd', role: 'there' }, 'ROLE_EXISTS'],
    [{ op: 'roleDelete', role: 'none' }, 'ROLE_NOT_FOUND'],
    [{ op: 'roleGrantPermission', role: 'none', permission: permission('k') }, 'ROLE_NOT_FOUND'],
    [{ op: 'roleGrantPermission', role: 'none', permission: undefined }, 'PERMISSION_NOT_GIVEN'],
    [{ op: 'roleGrantPermission', role: 'none', permission: permission('') }, 'INVALID_AUTH_MANAGEMENT'],
    [{ op: 'roleGrantPermission', role: 'there', permission: permission('b', 'a') }, 'INVALID_AUTH_MANAGEMENT'],
    [{ op: 'roleGrantPermission', role: 'there', permission: permission('b', 'b') }, 'INVALID_AUTH_MANAGEMENT'],
    [{ op: 'roleRevokePermission', role: 'none', key: keyFromText('k'), rangeEnd: EMPTY_KEY }, 'ROLE_NOT_FOUND'],
    [
      { op: 'roleRevokePermission', role: 'there', key: keyFromText('k'), rangeEnd: EMPTY_KEY },
      'PERMISSION_NOT_GRANTED',
    ],
    [{ op: 'authenticate', user: 'there', tokenDigest: '' }, 'AUTH_NOT_ENABLED'],
  ]
  for (const [change, refusal] of refusals) {
    it(`refuses ${JSON.stringify(change)} with ${refusal}, and changes nothing`, () => {
      const store = storeAfter(userAdd('there'), { op: 'roleAdd', role: 'there' })
      const before = store.image
      expect(store.apply(change)).to.equal(refusal)
      expect(store.image).to.equal(before)
    })
  }

  it('gives no token to whoever is not there, or has no password', () => {
    const store = storeAfter(
      ...ROOT_EXISTS,
      { op: 'enable' },
      {
        op: 'userAdd',
        user: 'by certificate',
        passwordHash: 'ignored',
        noPassword: true,
      },
    )
    expect(store.user('by certificate')?.passwordHash).to.equal('')
    for (const user of ['none', 'by certificate']) {
      expect(store.apply({ op: 'authenticate', user, tokenDigest: '' })).to.equal('AUTH_FAILED')
    }
    expect(store.apply({ op: 'authenticate', user: 'root', tokenDigest: '' })).to.equal(undefined)
  })

  it('replaces the type of a permission with the same range, and keeps permissions by their keys', () => {
    const grant = (key: string, rangeEnd: string, type: number): AuthChange => ({
      op: 'roleGrantPermission',
      role: 'r',
      permission: permission(key, rangeEnd, type),
    })
    const store = storeAfter({ op: 'roleAdd', role: 'r' }, grant('c', '', 0), grant('a', 'b', 1), grant('c', '', 2))
    expect(store.role('r')?.permissions).to.deep.equal([permission('a', 'b', 1), permission('c', '', 2)])
    // As in etcd, which looks at the first permission with the key alone.
    store.apply(grant('a', 'c', 0))
    store.apply(grant('a', 'c', 0))
    expect(store.role('r')?.permissions).to.have.length(4)
    store.apply({ op: 'roleRevokePermission', role: 'r', key: keyFromText('a'), rangeEnd: keyFromText('c') })
    expect(store.role('r')?.permissions).to.have.length(2)
  })

  it('keeps the roles of a user whose password changes, and takes away those that are deleted', () => {
    const store = storeAfter(
      userAdd('u'),
      { op: 'roleAdd', role: 'b' },
      { op: 'roleAdd', role: 'a' },
      { op: 'userGrantRole', user: 'u', role: 'b' },
      { op: 'userGrantRole', user: 'u', role: 'a' },
      { op: 'userChangePassword', user: 'u', passwordHash: 'new' },
    )
    expect(store.user('u')).to.deep.equal({ name: 'u', passwordHash: 'new', noPassword: false, roles: ['a', 'b'] })
    store.apply({ op: 'roleDelete', role: 'a' })
    expect(store.user('u')?.roles).to.deep.equal(['b'])
  })

  it('tells users in the order of the bytes of their names', () => {
    const store = storeAfter(userAdd('z'), userAdd('\u{1F600}'), userAdd('\uFF5E'), userAdd('a'))
    expect(store.image.users.map(({ name }) => name)).to.deep.equal(['a', 'z', '\uFF5E', '\u{1F600}'])
  })

  it('is, after any changes, the same store again when it is read back', () => {
    fc.assert(
      fc.property(fc.array(authChange, { maxLength: 40 }), (changes) => {
        const store = new AuthStore()
        for (const change of changes) store.apply(change)
        const read = decodeAuthImage(new ProtoReader(encodeAuthImage(store.image)))
        expect(read).to.deep.equal(store.image)
        const [again, last] = [new AuthStore(read), changes.at(-1)]
        if (last !== undefined) expect(again.apply(last)).to.equal(store.apply(last))
        expect(again.image).to.deep.equal(store.image)
      }),
    )
  })

  it('refuses an image with a field that it does not know', () => {
    const known = encodeAuthImage(new AuthStore().image)
    const unknown = Buffer.concat([known, Uint8Array.of(0x28, 1)])
    expect(() => decodeAuthImage(new ProtoReader(unknown))).to.throw('unknown field 5')
  })
})
