/** Cases X13–X17 and X25: what elections survive – dead sessions, administrators, cuts, restarts, and all of it. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party, RemoteParty } from '../kit/party.ts'
import {
  elect,
  expectLeader,
  expectTurns,
  failoverMs,
  logTerms,
  queue,
  SERVICE,
  stand,
  unlessDisturbed,
  untilElected,
} from './election-steps.ts'
import { expectExclusiveTerms, recordTerms } from './election-terms.ts'
import { steady } from './group-steps.ts'
import { calmParties } from './storage-clients.ts'

export const electionFaults: readonly ConformanceCase[] = [
  {
    id: 'X13',
    title: 'a candidate whose session died while it waited does not win with it, and is back with the next one',
    needs: ['links'],
    run: deadWaiter,
    extraTtls: 8,
  },
  {
    id: 'X14',
    title: 'a leader whose record was removed is told so, and a new term begins',
    needs: ['removeLeader'],
    run: removed,
  },
  {
    id: 'X15',
    title: 'a leader that is cut off for less than its lease leads on with the same token',
    needs: ['links'],
    run: shortCut,
    extraTtls: 4,
  },
  {
    id: 'X16',
    title: 'a leader that is cut off for longer than its lease loses it, and can win again with a new token',
    needs: ['links'],
    run: longCut,
    extraTtls: 6,
  },
  {
    id: 'X17',
    title: 'servers that restart, quickly or slowly, never make two leaders, and tokens go on rising',
    needs: ['processes', 'servers'],
    capability: 'persistent',
    alone: true,
    run: restarts,
    extraTtls: 30,
  },
]

async function deadWaiter(given: Given): Promise<void> {
  const [a, w] = [await given.party('A'), await given.party('W')]
  await elect(a, 'a')
  await queue(w, 'w')
  const log = await logTerms(w.election())
  w.link.blackHole('both')
  await given.until('the session of the one that waits is lost', () => w.session.state === 'lost', failoverMs(given))
  // and over in the store too
  await sleep(given.graceMs)
  await a.election().resign('a')
  const vacant = async () => (await a.election().leader()) === undefined && w.election().leadership('w') === undefined
  await given.always('nobody leads: the only candidate has no session', vacant, given.T / 2)
  w.link.heal()
  await expectToHold(given, w)
  expect(
    log.elected.map(({ candidate }) => candidate),
    'how often it was elected',
  ).to.deep.equal(['w'])
  expectTurns(log)
  if (given.hooks.expireSession !== undefined) await expired(given, a, w)
}

/** The same, but the store ends the session while its owner believes to be well. */
async function expired(given: Given, a: Party, w: Party): Promise<void> {
  await queue(a, 'a')
  await w.election().resign('w')
  await untilElected(given, a, 'a')
  await queue(w, 'w')
  const log = await logTerms(w.election())
  const dead = w.session.id
  await given.hooks.expireSession?.(dead)
  await a.election().resign('a')
  await expectToHold(given, w)
  expect(w.session.id, 'the session that it leads with, and the dead one').not.to.equal(dead)
  expect(
    log.elected.map(({ candidate }) => candidate),
    'how often it was elected',
  ).to.deep.equal(['w'])
  expectTurns(log)
}

/** A win with a dead session would look like one at first. */
async function expectToHold(given: Given, w: Party): Promise<void> {
  const leadership = await untilElected(given, w, 'w', { withinMs: 2 * failoverMs(given) })
  expect(await leadership.verify(), 'what the store says of the leader').to.equal(true)
  await given.always('it leads on', () => leadership.held, 1.5 * given.T)
  expect((await w.election().leader())?.token, 'the token of the leader in the store').to.equal(leadership.token)
}

async function removed(given: Given): Promise<void> {
  const { removeLeader } = given.hooks
  if (removeLeader === undefined) throw new Error('the hook removeLeader is missing')
  const [a, b] = await calmParties(given, 2)
  const old = await elect(a, 'a', SERVICE)
  const log = await logTerms(a.election(SERVICE))
  await queue(b, 'b', SERVICE)
  await removeLeader.call(given.hooks, given.clusterId, SERVICE)
  await given.until('the removed leader is told', () => log.lost.length > 0, failoverMs(given))
  const { token, reason, aborted } = log.lost[0] ?? {}
  const expected = { token: old.token, reason: 'evicted', aborted: true }
  expect({ token, reason, aborted }, 'how it was told').to.deep.equal(expected)
  expect(await old.verify(), 'what the store says of the removed leader').to.equal(false)
  const next = await given.until('a new term begins', async () => {
    const leaders = [a.election(SERVICE).leadership('a'), b.election(SERVICE).leadership('b')]
    return leaders.find((leadership) => leadership?.held)
  })
  expect(next.token > old.token, 'whether its token is higher').to.equal(true)
  await expectLeader([a, b], next.candidate, SERVICE)
}

async function shortCut(given: Given): Promise<void> {
  // a longer lease: what is left of it must do for connecting again also on a busy machine
  const [a, b] = [await given.party('A', steady(given)), await given.party('B')]
  const [log, told] = [await logTerms(a.election()), listen(a)]
  const { id, ttlMs } = a.session
  const leadership = await elect(a, 'a')
  await queue(b, 'b')
  for (const fault of ['cut', 'black hole'] as const) {
    if (fault === 'cut') a.link.cut()
    else a.link.blackHole('both')
    // as long as can be
    const left = () => a.session.deadline - systemClock.now()
    await given.until(`the ${fault} has taken its time`, () => left() < 0.45 * ttlMs, 6 * given.T)
    expect(leadership.held, `whether it leads at the end of the ${fault}`).to.equal(true)
    a.link.heal()
    await given.always(`it leads on after the ${fault}`, () => leadership.held, 2 * given.T)
  }
  expect(await leadership.verify(), 'what the store says of the leader').to.equal(true)
  expect(log.lost, 'terms that it was told to have lost').to.deep.equal([])
  expect(b.election().leadership('b'), 'a leadership of who waits').to.equal(undefined)
  expect(a.session.id, 'the session').to.equal(id)
  expect(a.session.state, 'the state of the session').to.equal('connected')
  const pairs = told.map((_, index) => (index % 2 === 0 ? 'suspended' : 'resumed'))
  expect(told, 'what was told of the session').to.deep.equal(pairs)
  expect(told.length % 2, 'whether each suspension was followed by its end').to.equal(0)
}

function listen({ session }: Party): string[] {
  const told: string[] = []
  session.addListener({
    onSuspended: () => told.push('suspended') > 0,
    onResumed: () => told.push('resumed') > 0,
    onLost: () => told.push('lost') > 0,
    onReestablished: () => told.push('reestablished') > 0,
  })
  return told
}

async function longCut(given: Given): Promise<void> {
  const [a, b] = [await given.party('A'), await given.party('B')]
  const [log, told] = [await logTerms(a.election()), listen(a)]
  const first = await elect(a, 'a')
  a.link.cut()
  await given.until('the leader that is cut off is told of its loss', () => log.lost.length > 0, failoverMs(given))
  const { token, reason, aborted, held } = log.lost[0] ?? {}
  expect({ token, aborted, held }, 'how it was told').to.deep.equal({ token: first.token, aborted: true, held: false })
  expect(reason, 'why, as far as who is cut off can know').to.equal('deadline')
  a.link.heal()
  const second = await untilElected(given, a, 'a', { withinMs: 2 * failoverMs(given) })
  expect(second.token > first.token, 'whether the token of its next term is higher').to.equal(true)

  await queue(b, 'b')
  a.link.blackHole('both')
  const third = await untilElected(given, b, 'b', { withinMs: failoverMs(given) })
  expect(second.held, 'whether the leader that is cut off holds when there is another').to.equal(false)
  a.link.heal()
  await given.until(
    'the deposed one has a session again',
    () => told.filter((what) => what === 'reestablished').length === 2,
  )
  await given.always('it does not win while the other leads', () => third.held && log.elected.length === 2, given.T)
  await b.election().resign('b')
  const fourth = await untilElected(given, a, 'a', { withinMs: failoverMs(given) })
  expect(third.token > second.token && fourth.token > third.token, 'whether the tokens of all terms rise').to.equal(
    true,
  )
  expectTurns(log)
  const inOrder = told.filter((what) => what === 'lost' || what === 'reestablished')
  expect(inOrder, 'what was told of the sessions').to.deep.equal(['lost', 'reestablished', 'lost', 'reestablished'])
}

async function restarts(given: Given): Promise<void> {
  const parties = await Promise.all(['A', 'B', 'C'].map((name) => given.process(name)))
  for (const party of parties) {
    await recordTerms(party, SERVICE, party.name)
    await party.election(SERVICE).nominate(party.name)
  }
  const { servers = [] } = given.hooks
  for (const gap of [0.3, 3]) {
    await Promise.all(servers.map((server) => server.kill()))
    await sleep(gap * given.T)
    await Promise.all(servers.map((server) => server.start()))
    const limit = 4 * failoverMs(given)
    const leader = await given.until('somebody leads again', () => leaderAmong(parties), limit)
    await given.until('the leader can resign', () => resigns(leader), limit)
    await given.until('another leads', async () => (await leaderAmong(parties)) !== undefined, limit)
    await stand(given, leader, SERVICE)
  }
  expectExclusiveTerms(parties, 3)
}

async function leaderAmong(parties: readonly RemoteParty[]): Promise<RemoteParty | undefined> {
  for (const party of parties) {
    if ((await party.election(SERVICE).leadership(party.name))?.held) return party
  }
  return undefined
}

async function resigns({ name, election }: RemoteParty): Promise<true | undefined> {
  return unlessDisturbed(
    election(SERVICE)
      .resign(name)
      .then(() => true as const),
  )
}
