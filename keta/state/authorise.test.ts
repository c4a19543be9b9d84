/** Commands are judged by what is granted where they stand in the log. */
import { expect } from 'chai'
import { FROM_KEY_END, keyFromText } from '../bytes/key.ts'
import { PERMISSION_READ, PERMISSION_READWRITE, PERMISSION_WRITE, type AuthChange } from '../command/auth-command.ts'
import { type Author, SERVER } from '../command/author.ts'
import type { Command } from '../command/command.ts'
import { compare, del, put, range, txn } from './operations.fixture.ts'
import { Replica } from './replica.fixture.ts'

const auth = (change: AuthChange): Command => ({ kind: 'auth', change })

/** Auth is on; alice reads a–e, writes b–d, and writes w unseen; carol may do nothing. */
function guardedReplica(): { replica: Replica; as: (user: string) => Author } {
  const replica = new Replica()
  const grant = (type: number, key: string, rangeEnd: string): AuthChange => ({
    op: 'roleGrantPermission',
    role: 'r',
    permission: { type, key: keyFromText(key), rangeEnd: keyFromText(rangeEnd) },
  })
  for (const user of ['root', 'alice', 'carol']) {
    replica.answer(auth({ op: 'userAdd', user, passwordHash: 'hash', noPassword: false }))
  }
  replica.answer(auth({ op: 'userGrantRole', user: 'root', role: 'root' }))
  replica.answer(auth({ op: 'roleAdd', role: 'r' }))
  replica.answer(auth(grant(PERMISSION_READ, 'a', 'e')))
  replica.answer(auth(grant(PERMISSION_WRITE, 'b', 'd')))
  replica.answer(auth(grant(PERMISSION_WRITE, 'w', '')))
  replica.answer(auth({ op: 'userGrantRole', user: 'alice', role: 'r' }))
  for (const key of ['a', 'b', 'c', 'd']) replica.answer(put(key, 'v'))
  replica.answer({ kind: 'leaseGrant', id: 1n, ttl: 60 })
  replica.answer({ kind: 'leaseGrant', id: 2n, ttl: 60 })
  replica.answer(put('a', 'v', { lease: 1n }))
  replica.answer(put('b', 'v', { lease: 2n }))
  replica.answer(auth({ op: 'enable' }))
  return { replica, as: (user) => ({ user, authRevision: replica.state.auth.revision }) }
}

describe('a command while auth is on', () => {
  const cases: readonly (readonly [string, Command, boolean])[] = [
    ['a put where alice may write', put('b', 'w'), true],
    ['a put where she may only read', put('a', 'w'), false],
    ['a put that shows what was there', put('c', 'w', { prevKv: true }), true],
    ['a put where she may write, but not read', put('w'), true],
    ['a put that shows what she may not read', put('w', '', { prevKv: true }), false],
    ['a delete that shows what she may not read', del('w', '', true), false],
    ['a put with a lease of which she may write all keys', put('c', 'w', { lease: 2n }), true],
    ['a put with a lease of which she may not', put('c', 'w', { lease: 1n }), false],
    ['a delete of what she may write', del('b', 'd', true), true],
    ['a delete of more than that', del('b', 'e'), false],
    ['a delete of everything', del('\0', '\0'), false],
    ['a revoke of a lease whose keys she may write', { kind: 'leaseRevoke', id: 2n }, true],
    ['a revoke of a lease whose keys she may not', { kind: 'leaseRevoke', id: 1n }, false],
    ['a transaction that reads and writes what she may', txn([], [range('a'), put('b')]), true],
    ['a transaction that compares what she may not read', txn([compare('e', {})], [put('b')]), false],
    ['a transaction whose branch that does not run may not', txn([], [put('b')], [put('a')]), false],
    ['a transaction with another inside that may not', txn([], [txn([], [], [put('a')])]), false],
    ['a transaction that reads too much', txn([], [range('a', { rangeEnd: FROM_KEY_END })]), false],
  ]
  for (const [what, command, allowed] of cases) {
    it(`${allowed ? 'is done' : 'is refused'}: ${what}`, () => {
      const { replica, as } = guardedReplica()
      if (allowed) expect(replica.answer(command, as('alice')).kind).to.equal(command.kind)
      else expect(replica.refusal(command, as('alice'))).to.equal('PERMISSION_DENIED')
      const forCarol = guardedReplica()
      expect(forCarol.replica.refusal(command, forCarol.as('carol'))).to.equal('PERMISSION_DENIED')
      const forRoot = guardedReplica()
      expect(forRoot.replica.answer(command, forRoot.as('root')).kind).to.equal(command.kind)
      const forNobody = guardedReplica()
      expect(forNobody.replica.refusal(command)).to.equal('USER_EMPTY')
    })
  }

  it('is refused if a permission was revoked before it in the log, although it was there when it was asked', () => {
    const { replica, as } = guardedReplica()
    const alice = as('alice')
    const [key, rangeEnd] = [keyFromText('b'), keyFromText('d')]
    replica.answer(auth({ op: 'roleRevokePermission', role: 'r', key, rangeEnd }), as('root'))
    expect(replica.refusal(put('b', 'w'), alice)).to.equal('AUTH_OLD_REVISION')
    expect(replica.refusal(put('b', 'w'), as('alice'))).to.equal('PERMISSION_DENIED')
  })

  it('of a time before auth was turned on is refused', () => {
    const { replica, as } = guardedReplica()
    replica.answer(auth({ op: 'disable' }), as('root'))
    replica.answer(put('a'))
    replica.answer(auth({ op: 'enable' }))
    expect(replica.refusal(put('a'))).to.equal('USER_EMPTY')
  })

  it("of the server's own is done: leases end whoever wrote their keys", () => {
    const { replica } = guardedReplica()
    expect(replica.answer({ kind: 'leaseRevoke', id: 1n }, SERVER).kind).to.equal('leaseRevoke')
  })

  it('that changes users is root’s alone: a plain user cannot make herself root (a hole of Java Keta)', () => {
    const { replica, as } = guardedReplica()
    const grants = auth({ op: 'userGrantRole', user: 'alice', role: 'root' })
    expect(replica.refusal(grants, as('alice'))).to.equal('PERMISSION_DENIED')
    expect(replica.refusal(auth({ op: 'disable' }), as('alice'))).to.equal('PERMISSION_DENIED')
    expect(replica.refusal(auth({ op: 'disable' }))).to.equal('USER_EMPTY')
    const everything = { type: PERMISSION_READWRITE, key: FROM_KEY_END, rangeEnd: FROM_KEY_END }
    const allow = auth({ op: 'roleGrantPermission', role: 'r', permission: everything })
    expect(replica.refusal(allow, as('alice'))).to.equal('PERMISSION_DENIED')
    expect(replica.refusal(grants, { user: 'gone', authRevision: 99 })).to.equal('USER_NOT_FOUND')
    replica.answer(grants, as('root'))
    expect(replica.answer(auth({ op: 'disable' }), as('alice')).kind).to.equal('auth')
  })

  it('that changes users is taken while an alarm forbids writes', () => {
    const { replica, as } = guardedReplica()
    replica.answer({ kind: 'alarm', action: 'activate', memberId: 1n, alarm: 2 }, as('root'))
    expect(replica.answer(auth({ op: 'roleAdd', role: 'new' }), as('root')).kind).to.equal('auth')
  })

  it('that was refused or not leaves another digest behind than one that was the other', () => {
    const [one, other] = [guardedReplica(), guardedReplica()]
    one.replica.answer(auth({ op: 'roleAdd', role: 'new' }), one.as('root'))
    other.replica.refusal(auth({ op: 'roleAdd', role: 'new' }), other.as('alice'))
    expect(one.replica.state.position.digest).to.not.equal(other.replica.state.position.digest)
  })
})
