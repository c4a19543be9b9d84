/** What each command does and when it is refused, rule by rule (transactions: txn.test.ts). */
import { expect } from 'chai'
import { keyFromText } from '../bytes/key.ts'
import { ALARM_CORRUPT, ALARM_NONE, ALARM_NOSPACE, type Command } from '../command/command.ts'
import { del, put, range, txn } from './operations.fixture.ts'
import { plainCommit, plainResponse, plainVersion, Replica } from './replica.fixture.ts'

describe('a put', () => {
  it('makes one revision, counted from 2, with one event', () => {
    const replica = new Replica()
    expect(replica.state.store.revision).to.equal(1)
    const { commit } = replica.run(put('k', 'v'))
    expect(plainCommit(commit)).to.deep.equal({ revision: 2, events: ['0 PUT k=v (none)'] })
    expect(live(replica, 'k')).to.deep.equal({ key: 'k', value: 'v', create: 2, mod: 2, version: 1, lease: 0 })
  })

  it('answers with the key-value before only if asked, and with none for a new key', () => {
    const replica = new Replica()
    expect(plainResponse(replica.answer(put('k', 'a', { prevKv: true })))).to.deep.equal({ previous: null })
    expect(plainResponse(replica.answer(put('k', 'b')))).to.deep.equal({ previous: null })
    const previous = { key: 'k', value: 'b', create: 2, mod: 3, version: 2, lease: 0 }
    expect(plainResponse(replica.answer(put('k', 'c', { prevKv: true })))).to.deep.equal({ previous })
  })

  it('begins a new generation after a delete', () => {
    const replica = new Replica()
    for (const command of [put('k', 'a'), del('k'), put('k', 'b')]) replica.run(command)
    expect(live(replica, 'k')).to.deep.include({ create: 4, mod: 4, version: 1 })
  })

  it('keeps the value with ignore_value and the lease with ignore_lease', () => {
    const replica = new Replica()
    replica.run(grant(7n))
    replica.run(put('k', 'v', { lease: 7n }))
    replica.run(put('k', '', { ignoreValue: true, lease: 7n }))
    expect(live(replica, 'k')).to.deep.include({ value: 'v', lease: 7, version: 2 })
    replica.run(put('k', 'w', { ignoreLease: true }))
    expect(live(replica, 'k')).to.deep.include({ value: 'w', lease: 7, version: 3 })
    expect(attached(replica, 7n)).to.deep.equal(['k'])
  })

  const refused: readonly (readonly [string, Command, string])[] = [
    ['names a lease that does not exist', put('k', 'v', { lease: 9n }), 'LEASE_NOT_FOUND'],
    ['names a negative lease that does not exist', put('k', 'v', { lease: -9n }), 'LEASE_NOT_FOUND'],
    ['ignores the value of a key that does not exist', put('k', '', { ignoreValue: true }), 'KEY_NOT_FOUND'],
    ['ignores the lease of a key that does not exist', put('k', 'v', { ignoreLease: true }), 'KEY_NOT_FOUND'],
    ['lacks both, with the lease first', put('k', '', { ignoreValue: true, lease: 9n }), 'LEASE_NOT_FOUND'],
  ]
  for (const [what, command, code] of refused) {
    it(`is refused and writes nothing if it ${what}`, () => expect(new Replica().refusal(command)).to.equal(code))
  }
})

describe('a delete', () => {
  it('of nothing answers 0 and makes no revision', () => {
    const replica = new Replica()
    const { response, commit } = replica.run(del('a', 'z', true))
    expect(plainResponse(response)).to.deep.equal({ deleted: 0, previous: [] })
    expect(commit).to.equal(undefined)
    expect(replica.state.store.revision).to.equal(1)
  })

  it('of a range is one revision, with events and previous key-values in key order', () => {
    const replica = new Replica()
    for (const key of ['c', 'a', 'b', 'd']) replica.run(put(key, key))
    const { response, commit } = replica.run(del('a', 'd', true))
    expect(plainCommit(commit)).to.deep.equal({
      revision: 6,
      events: ['0 DELETE a (a)', '1 DELETE b (b)', '2 DELETE c (c)'],
    })
    expect(plainResponse(response)).to.have.property('deleted', 3)
    expect(response).to.have.property('previous').that.has.length(3)
  })

  it('takes "\\0" as its end for everything from the key on, and an end below the key for nothing', () => {
    const replica = new Replica()
    for (const key of ['a', 'b', 'c']) replica.run(put(key))
    expect(plainResponse(replica.answer(del('b', 'a')))).to.have.property('deleted', 0)
    expect(plainResponse(replica.answer(del('b', '\0')))).to.have.property('deleted', 2)
  })

  it('gives no previous key-values unless asked', () => {
    const replica = new Replica()
    replica.run(put('a'))
    expect(plainResponse(replica.answer(del('a')))).to.deep.equal({ deleted: 1, previous: [] })
  })
})

describe('a compaction', () => {
  it('is refused at or below the last one, above the newest revision, and only there', () => {
    const replica = new Replica()
    expect(replica.refusal(compact(-1))).to.equal('COMPACTED')
    replica.answer(compact(0))
    expect(replica.refusal(compact(0))).to.equal('COMPACTED')
    replica.run(put('k'))
    replica.run(put('k'))
    expect(replica.refusal(compact(4))).to.equal('FUTURE_REVISION')
    replica.answer(compact(3))
    expect(replica.refusal(compact(3))).to.equal('COMPACTED')
    expect(replica.state.store.compactRevision).to.equal(3)
    expect(replica.state.store.revision).to.equal(3)
  })
})

describe('a lease', () => {
  it('is granted with the id and time to live that the server chose', () => {
    const replica = new Replica()
    expect(plainResponse(replica.answer(grant(-5n, 60)))).to.deep.equal({ id: -5, ttl: 60 })
    expect(replica.state.leases.get(-5n)?.ttl).to.equal(60)
    expect(replica.state.store.revision).to.equal(1)
  })

  it('is not granted twice, too long, or without an id', () => {
    const replica = new Replica()
    replica.run(grant(5n))
    expect(replica.refusal(grant(5n, 9e9 + 1))).to.equal('LEASE_TTL_TOO_LARGE')
    expect(replica.refusal(grant(5n))).to.equal('LEASE_EXISTS')
    expect(replica.refusal(grant(0n))).to.equal('LEASE_NOT_FOUND')
  })

  it('loses a key to a put with another lease, to a put without one, and to a delete', () => {
    const replica = new Replica()
    replica.run(grant(1n))
    replica.run(grant(2n))
    for (const key of ['a', 'b', 'c', 'd']) replica.run(put(key, '', { lease: 1n }))
    replica.run(put('a', '', { lease: 2n }))
    replica.run(put('b'))
    replica.run(del('c'))
    expect(attached(replica, 1n)).to.deep.equal(['d'])
    expect(attached(replica, 2n)).to.deep.equal(['a'])
  })

  it('takes its keys with it when it is revoked: sorted bytewise, in one revision', () => {
    const replica = new Replica()
    replica.run(grant(1n))
    for (const key of ['b', 'aa', 'c', 'a']) replica.run(put(key, key, { lease: 1n }))
    replica.run(put('b2', 'stays'))
    const { commit } = replica.run(revoke(1n))
    const events = ['0 DELETE a (a)', '1 DELETE aa (aa)', '2 DELETE b (b)', '3 DELETE c (c)']
    expect(plainCommit(commit)).to.deep.equal({ revision: 7, events })
    expect(replica.state.leases.has(1n)).to.equal(false)
    expect(live(replica, 'b2')).to.have.property('value', 'stays')
  })

  it('without keys makes no revision when it is revoked', () => {
    const replica = new Replica()
    replica.run(grant(1n))
    expect(replica.run(revoke(1n)).commit).to.equal(undefined)
    expect(replica.state.store.revision).to.equal(1)
  })

  it('that does not exist cannot be revoked', () => {
    expect(new Replica().refusal(revoke(1n))).to.equal('LEASE_NOT_FOUND')
  })

  it('can be granted again after its revoke, without its old keys', () => {
    const replica = new Replica()
    for (const command of [grant(1n), put('k', '', { lease: 1n }), revoke(1n), grant(1n)]) replica.run(command)
    expect(attached(replica, 1n)).to.deep.equal([])
  })
})

describe('an alarm', () => {
  it('is raised as often as asked, and cleared once', () => {
    const replica = new Replica()
    for (let i = 0; i < 2; i++) expect(plainResponse(replica.answer(alarm('activate', 5n, 7)))).to.deep.equal(['5:7'])
    expect(replica.state.alarms.list()).to.have.length(1)
    expect(plainResponse(replica.answer(alarm('deactivate', 5n, 7)))).to.deep.equal(['5:7'])
    expect(plainResponse(replica.answer(alarm('deactivate', 5n, 7)))).to.deep.equal([])
    expect(replica.state.alarms.list()).to.deep.equal([])
  })

  it('of type NONE cannot be raised', () => {
    expect(plainResponse(new Replica().answer(alarm('activate', 5n, ALARM_NONE)))).to.deep.equal([])
  })

  it('belongs to a member: that of another one stays', () => {
    const replica = new Replica()
    replica.run(alarm('activate', 2n ** 64n - 1n, ALARM_NOSPACE))
    replica.run(alarm('activate', 3n, ALARM_CORRUPT))
    replica.run(alarm('activate', 4n, ALARM_NOSPACE))
    replica.run(alarm('deactivate', 4n, ALARM_NOSPACE))
    expect(replica.state.alarms.list(ALARM_NOSPACE)).to.deep.equal([{ memberId: 2n ** 64n - 1n, alarm: ALARM_NOSPACE }])
    expect(replica.state.alarms.list().map((each) => each.alarm)).to.deep.equal([ALARM_NOSPACE, ALARM_CORRUPT])
    expect(replica.refusal(put('k'))).to.equal('CORRUPT')
  })

  const commands: readonly (readonly [string, Command, string | undefined])[] = [
    ['put', put('k', 'v', { lease: 99n }), 'NO_SPACE'],
    ['txn with a put', txn([], [], [put('k')]), 'NO_SPACE'],
    ['txn with a nested put', txn([], [txn([], [], [put('k')])]), 'NO_SPACE'],
    ['grant', grant(2n), 'NO_SPACE'],
    ['delete', del('k'), undefined],
    ['txn of deletes and ranges', txn([], [del('k'), txn([], [range('k')])]), undefined],
    ['revoke', revoke(1n), undefined],
    ['compaction', compact(1), undefined],
  ]
  for (const [what, command, whenFull] of commands) {
    it(`NOSPACE ${whenFull === undefined ? 'allows' : 'forbids'} a ${what}, CORRUPT forbids it`, () => {
      const replica = new Replica()
      replica.run(grant(1n))
      replica.run(alarm('activate', 1n, ALARM_CORRUPT))
      expect(replica.refusal(command)).to.equal('CORRUPT')
      replica.run(alarm('activate', 1n, ALARM_NOSPACE))
      expect(replica.refusal(command)).to.equal('CORRUPT')
      replica.run(alarm('deactivate', 1n, ALARM_CORRUPT))
      expect(replica.run(command).failure).to.equal(whenFull)
    })
  }
})

function grant(id: bigint, ttl = 60): Command {
  return { kind: 'leaseGrant', id, ttl }
}

function revoke(id: bigint): Command {
  return { kind: 'leaseRevoke', id }
}

function compact(revision: number): Command {
  return { kind: 'compact', revision, physical: false }
}

function alarm(action: 'activate' | 'deactivate', memberId: bigint, type: number): Command {
  return { kind: 'alarm', action, memberId, alarm: type }
}

function live({ state: { store } }: Replica, key: string): unknown {
  return plainVersion(store.get(keyFromText(key), store.revision))
}

function attached({ state: { leases } }: Replica, id: bigint): readonly string[] | undefined {
  return leases.get(id)?.sortedKeys()
}
