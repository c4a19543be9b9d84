/** Cases G1–G6 and G17: joining, leaving, and what is seen of a member. */
import { expect } from 'chai'
import { isCoordinationError, type Membership, sameBytes } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { expectMember, expectMembers, logGroup, memberOf, steady } from './group-steps.ts'
import { calmParties, calmTrio } from './storage-clients.ts'
import { inParallel, refusal } from './storage-steps.ts'

export const groupBasics: readonly ConformanceCase[] = [
  { id: 'G1', title: 'a member is seen by all, with its data and its epoch, until it leaves', run: seenByAll },
  { id: 'G2', title: 'an id that is held is refused, and its holder is left alone', run: idConflict },
  { id: 'G3', title: 'of many that join with one id at once, one becomes the member', run: race },
  { id: 'G4', title: 'one client keeps several members alive, each for itself', run: twoIds, extraTtls: 6 },
  {
    id: 'G5',
    title: 'leaving what one does not hold does nothing, and joining again gives a higher epoch',
    run: leaving,
  },
  { id: 'G6', title: 'new data keep the epoch, and only the holder can give them', run: updating },
  { id: 'G17', title: 'ids and data of any kind are kept exactly, and similar ids apart', run: oddNames },
]

async function seenByAll(given: Given): Promise<void> {
  const [a, b, observer] = await calmTrio(given)
  const first = await a.group().join('a', 'ä=1')
  const second = await b.group().join('b', new TextEncoder().encode('b=2'))
  expect(first.id, 'the id of the membership').to.equal('a')
  expect(first.signal.aborted, 'whether a new membership is over').to.equal(false)
  await expectMembers('after two have joined', [a, b, observer], ['a', 'b'])
  for (const { group } of [a, b, observer]) {
    expect(await group().membership(), 'the data as text').to.deep.equal(
      new Map([
        ['a', 'ä=1'],
        ['b', 'b=2'],
      ]),
    )
    await expectMember(group(), 'a', 'ä=1', first.epoch)
    await expectMember(group(), 'b', 'b=2', second.epoch)
  }
  await expectMembers('another group', [observer], [], 'elsewhere')
  await a.group().leave('a')
  expect(first.signal.aborted, 'whether a membership is over once it has been left').to.equal(true)
  await expectMembers('after one has left', [a, b, observer], ['b'])
  await second[Symbol.asyncDispose]()
  expect(second.signal.aborted, 'whether a disposed membership is over').to.equal(true)
  await expectMembers('after the other was disposed of', [a, b, observer], [])
}

async function idConflict(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const holder = await a.group().join('1', 'first')
  const log = await logGroup(given, a.group(), { initial: true })
  for (const [who, group] of [
    ['another client', b.group()],
    ['the same client', a.group()],
  ] as const) {
    await refusal('MEMBER_EXISTS', `joining as a held id by ${who}`, group.join('1', 'second'))
    await refusal('MEMBER_EXISTS', `the same with onConflict throw`, group.join('1', 'first', { onConflict: 'throw' }))
  }
  expect(holder.signal.aborted, 'whether the refused joins ended the membership').to.equal(false)
  await expectMember(b.group(), '1', 'first', holder.epoch)
  expect(log.states, 'the members that the holder was told of').to.deep.equal([['1']])
  expect(log.lost, 'losses that it was told of').to.deep.equal([])
  await a.group().updateData('1', 'still mine')
  await expectMember(b.group(), '1', 'still mine', holder.epoch)
}

async function race(given: Given): Promise<void> {
  const count = given.scale(8, 16)
  const names = Array.from({ length: count }, (_, index) => `P${index}`)
  const parties = await inParallel(names, (name) => given.party(name, steady(given)), 2)
  const rounds = given.scale(3, 10)
  for (let round = 0; round < rounds; round++) {
    const id = `contested-${round}`
    const joins = await Promise.allSettled(parties.map(({ name, group }) => group().join(id, name)))
    const winners = joins.flatMap((join, index) => (join.status === 'fulfilled' ? [{ join: join.value, index }] : []))
    for (const join of joins) {
      if (join.status === 'rejected' && !isCoordinationError(join.reason, 'MEMBER_EXISTS')) throw join.reason
    }
    expect(
      winners.map(({ index }) => names[index]),
      'who became the member',
    ).to.have.length(1)
    for (const { join, index } of winners) {
      for (const party of parties) await expectMember(party.group(), id, `P${index}`, join.epoch)
    }
  }
}

async function twoIds(given: Given): Promise<void> {
  const [a, observer] = [await given.party('A'), await given.party('B')]
  // an id like the group's name once made a plugin believe that it was a member
  const named = await a.group('brokers').join('brokers', 'named like the group')
  const [one, two] = [await a.group('brokers').join('1', ''), await a.group('brokers').join('2', '')]
  const ids = () => observer.group('brokers').membershipList()
  const forMs = given.scale(2.5, 5) * given.T
  await given.always('all three are members', async () => (await ids()).size === 3, forMs)
  await a.group('brokers').leave('1')
  expect(one.signal.aborted, 'whether the one that left is over').to.equal(true)
  await expectMembers('after one of three has left', [a, observer], ['2', 'brokers'], 'brokers')
  await given.always('the other two stay', async () => (await ids()).size === 2, 1.5 * given.T)
  for (const { id, epoch, signal } of [named, two]) {
    expect(signal.aborted, `whether ${id} is over`).to.equal(false)
    expect((await memberOf(observer.group('brokers'), id)).epoch, `the epoch of ${id}`).to.equal(epoch)
  }
}

async function leaving(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const log = await logGroup(given, a.group())
  await a.group().leave('never joined')
  const first = await a.group().join('1', '')
  await b.group().leave('1')
  await expectMember(a.group(), '1', '', first.epoch)
  expect(first.signal.aborted, 'whether a stranger’s leave ended the membership').to.equal(false)
  await a.group().leave('1')
  await a.group().leave('1')
  await expectMembers('after leaving twice', [a, b], [])
  await given.until('the listener is told of leaving', () => log.lost.length > 0)
  const told = log.lost.map(({ membership, reason, aborted }) => ({ epoch: membership.epoch, reason, aborted }))
  expect(told, 'how it was told').to.deep.equal([{ epoch: first.epoch, reason: 'resigned', aborted: true }])

  const second = await a.group().join('1', '')
  expectHigher(second, first)
  await first[Symbol.asyncDispose]()
  await expectMember(b.group(), '1', '', second.epoch)
  expect(second.signal.aborted, 'whether the end of an old membership ended the new one').to.equal(false)
  await a.group().leave('1')
  const third = await b.group().join('1', '')
  expectHigher(third, second)
  await a.group().leave('1')
  await expectMember(a.group(), '1', '', third.epoch)
}

async function updating(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  await refusal('NOT_A_MEMBER', 'updateData before join', a.group().updateData('1', 'x'))
  const first = await a.group().join('1', 'old')
  const log = await logGroup(given, b.group(), { initial: true })
  await a.group().updateData('1', 'new')
  await expectMember(b.group(), '1', 'new', first.epoch)
  await refusal('NOT_A_MEMBER', 'updateData by another client', b.group().updateData('1', 'x'))
  await a.group().updateData('1', '')
  await expectMember(b.group(), '1', '', first.epoch)
  expect(log.states, 'what listeners were told: the members have not changed').to.deep.equal([['1']])

  const second = await b.group().join('1', 'taken', { onConflict: 'takeover' })
  await refusal('NOT_A_MEMBER', 'updateData by an evicted one', a.group().updateData('1', 'x'))
  await expectMember(a.group(), '1', 'taken', second.epoch)
  await b.group().leave('1')
  await refusal('NOT_A_MEMBER', 'updateData after leave', b.group().updateData('1', 'x'))
  await a.group().leave('1')
}

const ODD = [
  ...[
    'a',
    'A',
    'ab',
    'a/b',
    '/a',
    'a/',
    '/',
    '.',
    '..',
    '%2F',
    '%',
    '*',
    '?',
    "'",
    '"',
    '`',
    ';',
    '-- ',
    '{}',
    '[null]',
  ],
  ...[
    'null',
    'undefined',
    '0',
    '-1',
    '__proto__',
    'constructor',
    ' ',
    'a b',
    '\t',
    '\n',
    'a:b',
    'a#b',
    'a\\b',
    '\u{1f600}',
  ],
  // composed and decomposed are two; the last has as many bytes as an id may have
  ...['\u00e9', 'e\u0301', 'ÿ', '\uffff', 'lock-0000000001', 'ж'.repeat(64)],
]

async function oddNames(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const joined = await Promise.all(ODD.map((id) => a.group().join(id, `of ${id}`)))
  await expectMembers('ids of all kinds', [a, b], ODD)
  const members = await b.group().members()
  for (const [index, { id, epoch }] of joined.entries()) {
    expect(id, 'the id of the membership').to.equal(ODD[index])
    expect(members.get(id)?.epoch, `the epoch of ${JSON.stringify(id)}`).to.equal(epoch)
  }
  const texts = await b.group().membership()
  for (const id of ODD) expect(texts.get(id), `the data of ${JSON.stringify(id)}`).to.equal(`of ${id}`)
  for (const id of ODD.slice(1)) await a.group().leave(id)
  await expectMembers('after all but one have left', [a, b], ODD.slice(0, 1))

  for (const group of ['a', 'a/b', 'ab', '/', '..', '%']) {
    await expectMembers(`the group ${group}`, [b], [], group)
    await a.group(group).join('x', '')
    await expectMembers(`the group ${group}`, [b], ['x'], group)
  }
  const bytes = Uint8Array.from({ length: 65_536 }, (_, index) => index * 7)
  await a.group('data').join('large', bytes)
  const kept = await memberOf(b.group('data'), 'large')
  expect(sameBytes(kept.data, bytes), 'whether 64 KiB of bytes are kept exactly').to.equal(true)
  await refusal('INVALID_DATA', 'the membership as text, of bytes that are none', b.group('data').membership())
}

function expectHigher(later: Membership, earlier: Membership): void {
  expect(later.epoch > earlier.epoch, `the epoch ${later.epoch} of the later one is above ${earlier.epoch}`).to.equal(
    true,
  )
}
