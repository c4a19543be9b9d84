/** Cases G7–G10 and G15: members that die, sleep, stall or are cut off, and when that is seen. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Link } from '../kit/link.ts'
import type { RemoteEvent, RemoteParty } from '../kit/party.ts'
import { underWay } from './group-calls.ts'
import { JOINED, type MemberArgs, type MembershipEnd } from './group-routines.ts'
import { type GroupLog, GROUP, logGroup, memberOf, SLACK_MS } from './group-steps.ts'

export const groupTime: readonly ConformanceCase[] = [
  {
    id: 'G7',
    title: 'a killed member is gone after its deadline, not before, and listeners are told in time',
    needs: ['processes'],
    run: killed,
  },
  {
    id: 'G8',
    title: 'nothing happens to members that are alive and quiet',
    run: quiet,
    extraTtls: 12,
  },
  {
    id: 'G9',
    title: 'a process that was stopped for longer than its lease learns that it is out, and comes back if it may',
    needs: ['processes'],
    run: (given) => awayAndBack(given, stopFor),
    extraTtls: 4,
  },
  {
    id: 'G10',
    title: 'a process that stalled for longer than its lease learns that it is out, and comes back if it may',
    needs: ['processes'],
    run: (given) => awayAndBack(given, (given, party) => party.run('stall', 3 * given.T)),
    extraTtls: 4,
  },
  {
    id: 'G15',
    title: 'a member that is cut off learns that it is out before anybody sees it gone',
    needs: ['processes', 'links'],
    run: toldFirst,
    extraTtls: 120,
  },
]

async function killed(given: Given): Promise<void> {
  const observer = await given.party('B')
  const member = await given.process('A')
  const log = await logGroup(given, observer.group(GROUP), { initial: true })
  await member.group(GROUP).join('1', '')
  await given.until('the observer is told of the member', () => log.latest?.includes('1'))
  const heldUntil = await member.run<number>('sessionDeadline')
  const killedAt = given.now()
  await member.kill()

  const limit = given.T + given.graceMs + SLACK_MS
  const members = () => observer.group(GROUP).membershipList()
  const isGone = async () => !(await members()).has('1') && given.now()
  const goneAt = await given.until('the killed member is gone', isGone, limit)
  expect(goneAt, 'when the member was gone, and its deadline').to.be.at.least(heldUntil)
  await given.until('the listener is told', () => log.latest?.length === 0, killedAt + limit - given.now())
  const toldAt = log.times.at(-1) ?? NaN
  expect(toldAt, 'when the listener was told that the member is gone, and its deadline').to.be.at.least(heldUntil)
  expect(log.states.slice(-2), 'what the listener was told').to.deep.equal([['1'], []])
}

async function quiet(given: Given): Promise<void> {
  const parties = [await given.party('A'), await given.party('B'), await given.party('C')]
  const memberships = await Promise.all(parties.map(({ name, group }) => group().join(name, '')))
  const logs: GroupLog[] = []
  for (const party of parties) logs.push(await logGroup(given, party.group(), { initial: true }))
  await given.until('all are told of all', () => logs.every(({ latest }) => latest?.length === parties.length))
  const told = logs.map(({ order }) => order.length)
  const isQuiet = () => logs.every(({ order }, index) => order.length === told[index])
  const all = async () => (await parties[0]!.group().membershipList()).size === parties.length
  await given.always('nothing is told', async () => isQuiet() && (await all()), given.scale(3, 10) * given.T)
  for (const { id, epoch, signal } of memberships) {
    expect(signal.aborted, `whether ${id} is over`).to.equal(false)
    expect((await memberOf(parties[0]!.group(), id)).epoch, `the epoch of ${id}`).to.equal(epoch)
  }
}

async function stopFor(given: Given, party: RemoteParty): Promise<void> {
  party.stop()
  await sleep(3 * given.T)
  party.continue()
}

type Absence = (given: Given, party: RemoteParty) => Promise<void>

async function awayAndBack(given: Given, beAway: Absence): Promise<void> {
  const observer = await given.party('B')
  const member = await given.process('A')
  const log = await logGroup(given, observer.group(GROUP), { initial: true })
  const first = await member.group(GROUP).join('back', 'b')
  const only = await member.group(GROUP).join('out', 'o', { autoRejoin: false })
  await given.until('the observer is told of both', () => log.latest?.length === 2)

  const away = underWay(beAway(given, member))
  const limit = given.T + given.graceMs + SLACK_MS
  await given.until('both are seen to be gone while the process sleeps', () => log.latest?.length === 0, limit)
  await away.result

  const after = 2 * given.T + given.graceMs + SLACK_MS
  await member.event(isLost(first.epoch), after)
  await member.event(isLost(only.epoch), after)
  const back = await member.event(({ type }) => type === 'rejoined', after)
  if (back.type !== 'rejoined') throw new Error('not the event that was asked for')
  expect(back.id, 'which one is back').to.equal('back')
  expect(back.epoch > first.epoch, `whether the new epoch ${back.epoch} is above ${first.epoch}`).to.equal(true)
  expectOrder(member.events, first.epoch)
  await given.until('the observer sees the one that is back', () => log.latest?.join() === 'back')
  expect((await memberOf(observer.group(GROUP), 'back')).epoch, 'the epoch that others see').to.equal(back.epoch)
  await given.always('the other one stays out', () => log.latest?.join() === 'back', given.T / 2)
  for (const epoch of [first.epoch, only.epoch]) {
    expect(member.events.filter(isLost(epoch)), 'how often the end of one membership was told').to.have.length(1)
  }
}

function isLost(epoch: bigint): (event: RemoteEvent) => boolean {
  return (event) => event.type === 'membership-lost' && event.epoch === epoch
}

/** The signal, then the listener, then the return. */
function expectOrder(events: readonly RemoteEvent[], epoch: bigint): void {
  const aborted = events.findIndex((event) => event.type === 'membership-aborted' && event.epoch === epoch)
  const lost = events.findIndex(isLost(epoch))
  const rejoined = events.findIndex(({ type }) => type === 'rejoined')
  expect(aborted, 'whether the signal aborted').to.be.at.least(0)
  expect(aborted, 'the signal aborts before the listener is told').to.be.below(lost)
  expect(lost, 'the listener is told of the loss before the return').to.be.below(rejoined)
}

const CUTS: readonly ((link: Link) => void)[] = [
  (link) => link.blackHole('to-server'),
  (link) => link.cut(),
  (link) => link.blackHole('both'),
  (link) => link.blackHole('to-client'),
]

async function toldFirst(given: Given): Promise<void> {
  const observers = [await given.party('B'), await given.party('C')]
  const member = await given.process('A')
  const logs: GroupLog[] = []
  for (const observer of observers) logs.push(await logGroup(given, observer.group(GROUP), { initial: true }))
  const rounds = given.scale(3, 20)
  for (let round = 0; round < rounds; round++) {
    const id = `member-${round}`
    const end = underWay(member.run<MembershipEnd>('memberUntilLost', { group: GROUP, id } satisfies MemberArgs))
    // the first join of a round goes with the session that the last round has lost
    const isThere = () => logs.every(({ latest }) => latest?.includes(id))
    await given.until('the observers are told of the member', isThere, 3 * given.T + given.graceMs)
    // cut off before it knows that it has joined, it would join again when it is back
    const hasJoined = (event: RemoteEvent) => event.type === 'routine' && event.what === JOINED && event.details === id
    await member.event(hasJoined, given.T + given.graceMs)
    CUTS[round % CUTS.length]?.(member.link)
    // a store that still hears renewals may keep the member for as long as it is told to: one lease more
    const isGone = () => logs.every(({ latest }) => latest?.length === 0)
    await given.until('the observers are told that it is gone', isGone, 2 * given.T + given.graceMs + SLACK_MS)
    const goneAt = Math.min(...logs.map((log) => firstWithout(log, id)))
    // who only learns it from the store must not learn it at once, or it could seem to have known
    await Promise.race([end.result, sleep(given.T)])
    member.link.heal()
    const { abortedAt, toldAt } = await end.result
    const late = `round ${round}: milliseconds from the first observer's news to`
    expect(abortedAt - goneAt, `${late} the member's signal`).to.be.below(0)
    expect(toldAt - goneAt, `${late} the member's listener`).to.be.below(0)
  }
}

/** When a listener was first told of a group without the member that had been there. */
function firstWithout({ states, times }: GroupLog, id: string): number {
  const since = states.findIndex((state) => state.includes(id))
  const gone = states.findIndex((state, index) => index > since && !state.includes(id))
  return times[gone] ?? Infinity
}
