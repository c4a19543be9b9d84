/** Cases X7, X23 and X24: ownership goes by session, not by name. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { elect, expectLeader, expectTurns, logTerms, queue, SERVICE, takeOver } from './election-steps.ts'
import { calmParties, calmTrio } from './storage-clients.ts'
import { expectValue, refusal } from './storage-steps.ts'

export const electionNames: readonly ConformanceCase[] = [
  {
    id: 'X7',
    title: 'of two sessions that run one candidate id, only one leads, and neither ends the other’s',
    run: oneName,
  },
  {
    id: 'X23',
    needs: ['processes'],
    title: 'a takeover evicts the older incarnation of the same candidate, and nobody else',
    run: takeover,
  },
  {
    id: 'X24',
    title: 'an evicted leader learns from the store that it no longer leads, and cannot write',
    run: evicted,
  },
]

async function oneName(given: Given): Promise<void> {
  const [a, b, c] = await calmTrio(given)
  const first = await elect(a, 'same')
  await queue(b, 'same')
  await expectLeader([a, b], 'same')
  expect(b.election().leadership('same'), 'a leadership of who only has the leader’s name').to.equal(undefined)
  // resigning is the leader's: the other one is not, whatever it is called
  await b.election().resign('same')
  expect(first.held, 'whether the leader was made to resign by its namesake').to.equal(true)
  expect((await b.election().leader())?.token, 'the token of the leader').to.equal(first.token)

  const second = await takeOver(c, 'same')
  await a.election().resign('same')
  await first[Symbol.asyncDispose]()
  await a.locator.shutdown()
  const stays = async () => (await b.election().leader())?.token === second.token && second.held
  await given.always('the new one leads on, though the old one has gone', stays, given.T / 2)
  expect(await second.verify(), 'what the store says of the new one').to.equal(true)
}

async function takeover(given: Given): Promise<void> {
  const [a, b, c] = await calmTrio(given)
  const log = await logTerms(a.election())
  const first = await elect(a, 'a')
  const isElected = await b.election().nominate('b', { takeover: true })
  expect(isElected, 'whether a takeover evicts a leader of another name').to.equal(false)
  expect(first.held, 'whether that leader leads on').to.equal(true)
  // or it would be the one to win where the leader is evicted
  await b.election().withdraw('b')

  const second = await takeOver(c, 'a')
  expect(second.token > first.token, 'whether its token is higher').to.equal(true)
  await given.until('the evicted one is told', () => log.lost.length > 0)
  const { token, reason, aborted, held } = log.lost[0] ?? {}
  expect({ token, reason, aborted, held }, 'how it was told').to.deep.equal({
    ...{ token: first.token, reason: 'evicted', aborted: true, held: false },
  })
  expect(() => first.assertHeld(), 'assertHeld of the evicted one')
    .to.throw()
    .with.property('code', 'LEADERSHIP_LOST')
  expect(first.signal.reason, 'the reason of its signal').to.have.property('code', 'LEADERSHIP_LOST')
  await a.election().withdraw('a')
  const stays = async () => (await b.election().leader())?.token === second.token && second.held
  await given.always('who took over leads on', stays, given.T / 2)
  expectTurns(log)
  await c.election().resign('a')
  await fromTheDead(given, b)
}

/** What it is for: the process has died and is back, and its lease is not over. */
async function fromTheDead(given: Given, restarted: Party): Promise<void> {
  const mortal = await given.process('M')
  expect(await mortal.election(SERVICE).nominate('m'), 'whether M is elected where nobody leads').to.equal(true)
  await mortal.kill()
  const isElected = await restarted.election(SERVICE).nominate('m', { takeover: true })
  expect(isElected, 'whether the restarted process leads at once').to.equal(true)
}

async function evicted(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const first = await elect(a, 'a')
  expect(await first.verify(), 'what the store says of the leader').to.equal(true)
  const second = await takeOver(b, 'a')
  expect(await first.verify(), 'what the store says of the evicted one').to.equal(false)
  expect(await second.verify(), 'what the store says of its successor').to.equal(true)
  const { atomicFencing } = given.capabilities
  const write = a.storage.put('/by-the-leader', 'x', { fence: first })
  await refusal(atomicFencing ? 'FENCED' : 'UNSUPPORTED', 'a write with the fence of the evicted one', write)
  await expectValue(b.storage, '/by-the-leader', undefined)
  await b.election().resign('a')
  expect(await second.verify(), 'what the store says of who has resigned').to.equal(false)
}
