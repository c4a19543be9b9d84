/** Cases X8–X12 and X26: a leader that dies, is cut off, sleeps, or has the wrong time never shares its term. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, type Leadership, steadyNow, systemClock } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Direction } from '../kit/link.ts'
import type { RemoteParty } from '../kit/party.ts'
import type { Awakening, StallArgs } from './election-routines.ts'
import { elect, failoverMs, logTerms, queue, SERVICE, untilElected } from './election-steps.ts'
import { expectExclusiveTerms, recordTerms } from './election-terms.ts'
import { underWay } from './group-calls.ts'
import { SLACK_MS } from './group-steps.ts'
import { expectValue } from './storage-steps.ts'

export const electionTime: readonly ConformanceCase[] = [
  {
    id: 'X8',
    title: 'a killed leader has a successor after its deadline, not before, and soon',
    needs: ['processes'],
    run: killed,
  },
  {
    id: 'X9',
    title: 'a leader that is cut off from a distant store is told of its loss before its successor is elected',
    needs: ['processes', 'links'],
    run: (given) => cutOff(given, ['both'], given.T / 5),
    extraTtls: 120,
  },
  {
    id: 'X10',
    title: 'a leader that is cut off one way, either way, is told of its loss before its successor is elected',
    needs: ['processes', 'links'],
    run: (given) => cutOff(given, ['to-server', 'to-client']),
    extraTtls: 120,
  },
  {
    id: 'X11',
    title: 'a leader that stalled for longer than its lease knows with its first statement that it no longer leads',
    needs: ['processes'],
    run: (given) => sleeper(given, 'leadAndStall', async () => undefined),
    extraTtls: 4,
  },
  {
    id: 'X12',
    title: 'a leader that was stopped for longer than its lease knows with its first statement that it no longer leads',
    needs: ['processes'],
    run: (given) => sleeper(given, 'leadAndBeStopped', stopAndContinue),
    extraTtls: 4,
  },
  {
    id: 'X26',
    title: 'a clock that is set forward ends a leadership at once, one that is set back does not prolong it',
    needs: ['links'],
    run: clockSteps,
    extraTtls: 4,
  },
]

async function killed(given: Given): Promise<void> {
  const [successor, leader] = [await given.party('B'), await given.process('A')]
  let electedAt = NaN
  await successor.election(SERVICE).addListener({
    onLeaderChange: () => undefined,
    onElected() {
      electedAt = given.now()
    },
  })
  expect(await leader.election(SERVICE).nominate('a'), 'whether A is elected where nobody leads').to.equal(true)
  await queue(successor, 'b', SERVICE)
  const heldUntil = await leader.run<number>('sessionDeadline')
  const killedAt = given.now()
  await leader.kill()
  await untilElected(given, successor, 'b', { service: SERVICE, withinMs: failoverMs(given) })
  await given.until('the successor is told', () => !Number.isNaN(electedAt))
  expect(electedAt, 'when the successor was elected, and the deadline of the killed leader').to.be.at.least(heldUntil)
  const limit = given.T + given.graceMs + SLACK_MS
  expect(electedAt - killedAt, 'milliseconds without a leader').to.be.at.most(limit)
}

/**
 * The two take turns: who was cut off waits behind who took its place.
 * @param delayMs of replies: who counts its lease from their arrival counts so much too long.
 */
async function cutOff(given: Given, directions: readonly Direction[], delayMs = 0): Promise<void> {
  const parties = [await given.process('A'), await given.process('B')] as const
  for (const party of parties) {
    await recordTerms(party, SERVICE, party.name)
    await party.election(SERVICE).nominate(party.name)
  }
  let [leader, waiter]: readonly [RemoteParty, RemoteParty] = parties
  const rounds = given.scale(2, 20)
  for (let round = 0; round < rounds; round++) {
    const [from, until] = [waiter.events.length, leader.events.length]
    if (delayMs > 0) {
      leader.link.delay(delayMs, 0, 'to-client')
      // the first reply may have been under way already
      for (const reply of ['a reply', 'a late reply']) await untilRenewed(given, leader, reply)
    }
    leader.link.blackHole(directions[round % directions.length] ?? 'both')
    // a store that hears renewals without being heard keeps the lease for one ttl more
    const limit = failoverMs(given)
    await waiter.event(({ type }) => type === 'elected', limit, from)
    await leader.event(({ type }) => type === 'leadership-lost', limit, until)
    leader.link.heal()
    await leader.event(({ type }) => type === 'reestablished', limit + given.T, until)
    ;[leader, waiter] = [waiter, leader]
  }
  expectExclusiveTerms(parties, rounds + 1)
}

/** Right after it: a request that is under way would have the store count from later than the client does. */
async function untilRenewed(given: Given, party: RemoteParty, reply: string): Promise<void> {
  const deadline = await party.run<number>('sessionDeadline')
  const isLater = async () => (await party.run<number>('sessionDeadline')) > deadline + given.T / 100
  await given.until(`the session is renewed by ${reply}`, isLater, 2 * given.T)
}

type Sleep = (given: Given, leader: RemoteParty) => Promise<void>

/** The leader learns of its loss from nothing but its own clock: the first statements run before all else. */
async function sleeper(given: Given, routine: string, putToSleep: Sleep): Promise<void> {
  const [successor, leader] = [await given.party('B'), await given.process('A')]
  expect(await leader.election(SERVICE).nominate('a'), 'whether A is elected where nobody leads').to.equal(true)
  await queue(successor, 'b', SERVICE)
  const args: StallArgs = { service: SERVICE, candidate: 'a', stallMs: 3 * given.T, key: '/by-the-leader' }
  const waking = underWay(leader.run<Awakening>(routine, args))
  await putToSleep(given, leader)
  const next = await untilElected(given, successor, 'b', { service: SERVICE, withinMs: failoverMs(given) })
  const { held, leads, asserted, write } = await waking.result
  expect(held, 'whether the sleeper believes to lead when it wakes').to.equal(false)
  expect(leads, 'whether the sleeper is still given its leadership').to.equal(false)
  expect(asserted, 'what assertHeld throws when it wakes').to.equal('LEADERSHIP_LOST')
  const { atomicFencing } = given.capabilities
  expect(write, 'what becomes of its write').to.equal(atomicFencing ? 'FENCED' : 'UNSUPPORTED')
  await expectValue(successor.storage, '/by-the-leader', undefined)
  const lost = await leader.event(({ type }) => type === 'leadership-lost', failoverMs(given))
  expect(lost, 'what the sleeper is told').to.have.property('candidate', 'a')
  expect(next.held, 'whether its successor leads on').to.equal(true)
}

async function stopAndContinue(given: Given, leader: RemoteParty): Promise<void> {
  await leader.event((event) => event.type === 'routine' && event.what === 'ready to be stopped', failoverMs(given))
  leader.stop()
  const waking = sleep(3 * given.T).then(() => leader.continue())
  given.after(() => waking)
}

const HOUR = 3_600_000

/** A machine whose wall clock is set by hand, as leases see it. */
function settableClock(): { readonly clock: Clock; set(byMs: number): void } {
  let offset = 0
  const now = steadyNow({ monotonic: () => performance.now(), wall: () => Date.now() + offset })
  return {
    clock: { now, setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms) },
    set(byMs) {
      offset += byMs
    },
  }
}

async function clockSteps(given: Given): Promise<void> {
  await setForward(given)
  await setBack(given)
}

async function setForward(given: Given): Promise<void> {
  const { clock, set } = settableClock()
  const a = await given.party('A', { host: { clock } })
  const log = await logTerms(a.election('forward'))
  const old = await elect(a, 'a', 'forward')
  set(HOUR)
  expect(old.held, 'whether a leader believes to lead an hour after its deadline').to.equal(false)
  expect(a.election('forward').leadership('a')?.token, 'the leadership it is given then').not.to.equal(old.token)
  await given.until('the leader is told of its loss', () => log.lost.length > 0, failoverMs(given))
  const [loss] = log.lost
  expect(loss?.token, 'the term that it lost').to.equal(old.token)
  // its own seat may have to end first
  const next = await untilElected(given, a, 'a', { service: 'forward', withinMs: 2 * failoverMs(given) })
  expect(next.token > old.token, 'whether the next term has a higher token').to.equal(true)
  expect(old.held, 'whether the old term came back to life').to.equal(false)
}

async function setBack(given: Given): Promise<void> {
  const { clock, set } = settableClock()
  const [a, b] = [await given.party('C', { host: { clock } }), await given.party('D')]
  const old = await elect(a, 'c', 'back')
  let heldWhenReplaced: boolean | undefined
  await b.election('back').addListener({
    onLeaderChange: () => undefined,
    onElected(_: Leadership) {
      heldWhenReplaced = old.held
    },
  })
  await queue(b, 'd', 'back')
  set(-HOUR)
  await given.always('a clock that is set back does no harm', () => old.held, 1.5 * given.T)
  a.link.blackHole('both')
  await given.until('the leader that is cut off no longer holds', () => !old.held, given.T + SLACK_MS)
  await given.until('its successor is elected', () => heldWhenReplaced !== undefined, failoverMs(given))
  expect(heldWhenReplaced, 'whether the leader held when its successor was elected').to.equal(false)
  a.link.heal()
}
