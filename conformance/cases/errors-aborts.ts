/** Cases E2–E5: calls that are given up, by the caller or because nothing answers. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCoordinationError } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { watchLoop } from './election-clock.ts'
import { underWay } from './group-calls.ts'
import {
  describe,
  everyCall,
  type NamedCall,
  servicesOf,
  settled,
  type Settled,
  settlesWithin,
} from './lifecycle-steps.ts'
import { calmParties } from './storage-clients.ts'
import { collect } from './storage-steps.ts'

export const errorsAborts: readonly ConformanceCase[] = [
  { id: 'E2', title: 'does nothing for a call that is aborted before it starts', run: abortedBefore },
  {
    id: 'E3',
    title: 'lets go of an aborted call at once, and leaves the old state or the new one',
    needs: ['links'],
    run: abortedUnderWay,
    extraTtls: 15,
  },
  {
    id: 'E4',
    title: 'leaves no member and no candidate behind of a wait that was aborted',
    run: abortedWaits,
    extraTtls: 4,
  },
  {
    id: 'E5',
    title: 'says TIMEOUT in time when the servers hang',
    needs: ['servers'],
    run: hangingServers,
    alone: true,
    extraTtls: 10,
  },
]

/** The catalogue’s. */
const LET_GO_MS = 50
const TIMEOUT_SLACK_MS = 250
const UNDONE_MS = 1_500

/** What was given up may have been taken all the same: by when the store holds it no more. */
function undoneWithinMs({ T, graceMs }: Given): number {
  return 2 * T + graceMs + UNDONE_MS
}

async function abortedBefore(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  await a.storage.put('/call', 'old')
  await a.group().join('call-member', 'old')
  await a.election().nominate('call-waiter')
  const before = await worldOf(b)
  const reason = new Error('not wanted')
  for (const { name, run } of everyCall(given, servicesOf(a.locator))) {
    const outcome = await settlesWithin(
      `${name}, aborted before,`,
      LET_GO_MS,
      run({ signal: AbortSignal.abort(reason) }),
    )
    expectReason(name, outcome, reason)
  }
  await given.always('nothing has changed', async () => isSame(await worldOf(b), before), given.T / 4)
  expect(a.election().leadership('call'), 'the leadership of a candidate that was not nominated').to.equal(undefined)
  // neither did the client take notice: each of them is still free
  await a.group().join('call', '')
  await a.election().nominate('call')
}

/** All that there is, as another client sees it. */
async function worldOf({ storage, group, election }: Awaited<ReturnType<Given['party']>>): Promise<unknown> {
  const entries = await collect(storage.scan('/'))
  const members = await group().members()
  return [
    entries.map(({ key, text, version }) => [key, text, version]),
    [...members.values()].map(({ id, data, epoch }) => [id, Buffer.from(data).toString(), String(epoch)]),
    await election().getLeader(),
  ]
}

function isSame(one: unknown, other: unknown): boolean {
  expect(one, 'what is there').to.deep.equal(other)
  return true
}

function expectReason(name: string, outcome: Settled<unknown>, reason: Error): void {
  if (outcome.is === 'rejected' && outcome.error === reason) return
  throw new Error(`${name} was aborted and must be rejected with the signal's reason, but it was ${describe(outcome)}`)
}

async function abortedUnderWay(given: Given): Promise<void> {
  const b = await given.party('B')
  const names = everyCall(given, servicesOf(b.locator)).filter(({ asks }) => asks)
  for (let round = 0; round < given.scale(1, 5); round++) {
    const a = await given.party(`A${round}`)
    const services = servicesOf(a.locator)
    for (const { name } of names) {
      // each on keys and ids of its own: what was given up may still be on its way when the next one is made
      const own = `${name.toLowerCase().replaceAll('.', '-')}-${round}`
      await b.storage.put(`/${own}`, 'old')
      const call = everyCall(given, services, own).find((one) => one.name === name)
      if (call === undefined) throw new Error(`there is no call ${name}`)
      await abortOne(given, call, a.link)
      await oldOrNew(given, b, own)
    }
    await a.locator.shutdown()
  }
}

async function abortOne(
  given: Given,
  { name, run }: NamedCall,
  link: Awaited<ReturnType<Given['link']>>,
): Promise<void> {
  const reason = new Error('no longer wanted')
  const abort = new AbortController()
  link.holdReplies()
  const call = underWay(run({ signal: abort.signal, timeoutMs: 10 * given.T }))
  const waitMs = given.random() * 20
  await sleep(waitMs)
  if (call.settled && name.endsWith('Listener')) {
    // it may follow what another listener follows already
    await call.result
    link.heal()
    return
  }
  expect(call.settled, `whether ${name} had settled before any reply came`).to.equal(false)
  const settling = settlesWithin(`${name}, aborted under way,`, LET_GO_MS, call.result)
  abort.abort(reason)
  expectReason(name, await settling, reason)
  // the reply of what was given up: late, or never
  if (given.random() < 0.5) link.heal()
  else link.resetAll()
}

async function oldOrNew(given: Given, b: Awaited<ReturnType<Given['party']>>, own: string): Promise<void> {
  const states = [undefined, 'old', 'new']
  const look = async () => {
    expect(await b.storage.fetch(`/${own}`), `the value of /${own}`).to.be.oneOf(states)
    expect(await b.storage.fetch(`/${own}-put`), `the value of /${own}-put`).to.be.oneOf([undefined, 'new'])
    return true
  }
  await look()
  await given.until(
    `an aborted join or nominate of ${own} is undone`,
    async () => !(await b.group().membershipList()).has(own) && (await b.election().getLeader()) !== own,
    undoneWithinMs(given),
  )
  await look()
}

async function abortedWaits(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  await b.group().join('held', '')
  await b.election().nominate('b')

  const joining = await abortWhileWaiting(given, 'join with onConflict wait', (signal) =>
    a.group().join('held', '', { onConflict: 'wait', signal }),
  )
  await a.election().nominate('stays')
  const waiting = await abortWhileWaiting(given, 'awaitLeadership', (signal) =>
    a.election().awaitLeadership('stays', { signal }),
  )
  expect([joining, waiting], 'what became of the waits').to.deep.equal(['aborted', 'aborted'])
  await manyAborts(given, a)

  await b.group().leave('held')
  const noMember = async () => (await b.group().membershipList()).size === 0
  const noLeader = async () => (await b.election().getLeader()) === undefined
  await given.until('an aborted join is undone', noMember, undoneWithinMs(given))
  await b.election().withdraw('b')
  // whose wait was aborted is a candidate all the same
  await given.until('the candidate that stays leads', async () => (await b.election().getLeader()) === 'stays')
  await a.election().withdraw('stays')
  await given.until('nobody leads', noLeader, undoneWithinMs(given))
  await given.always(
    'no aborted member or candidate comes back',
    async () => (await noMember()) && (await noLeader()),
    given.T / 4,
  )
  await a.group().join('held', '')
  expect(await a.election().nominate('gone-0'), 'whether a candidate leads that was once aborted').to.equal(true)
}

async function abortWhileWaiting(
  given: Given,
  what: string,
  wait: (signal: AbortSignal) => Promise<unknown>,
): Promise<string> {
  const reason = new Error('waited long enough')
  const abort = new AbortController()
  const call = underWay(wait(abort.signal))
  await given.always(`${what} waits`, () => !call.settled, given.T / 10)
  const settling = settlesWithin(`${what}, aborted,`, LET_GO_MS, call.result)
  abort.abort(reason)
  expectReason(what, await settling, reason)
  return 'aborted'
}

/** Aborted in each moment that there is between the call and its answer. */
async function manyAborts(given: Given, a: Awaited<ReturnType<Given['party']>>): Promise<void> {
  const reason = new Error('on second thoughts')
  for (let round = 0; round < given.scale(8, 60); round++) {
    const abort = new AbortController()
    const id = `gone-${round}`
    const calls = [
      ['join', settled(a.group().join(id, '', { signal: abort.signal }))],
      ['nominate', settled(a.election().nominate(id, { signal: abort.signal }))],
    ] as const
    if (round % 4 !== 0) await sleep(given.random() * (round % 4) * 2)
    abort.abort(reason)
    for (const [name, call] of calls) {
      const outcome = await call
      if (outcome.is === 'rejected') expectReason(name, outcome, reason)
      else if (name === 'join') await a.group().leave(id)
      else await a.election().withdraw(id)
    }
  }
}

async function hangingServers(given: Given): Promise<void> {
  const a = await given.party('A', { sessionTtlMs: 5 * given.T })
  await a.storage.put('/call', 'old')
  const servers = given.hooks.servers ?? []
  const timeoutMs = Math.max(given.T / 2, 500)
  given.after(() => servers.forEach((server) => server.resume()))
  for (const server of servers) server.pause()
  const loop = watchLoop()
  given.after(() => loop.stop())
  const calls = everyCall(given, servicesOf(a.locator)).filter(({ asks }) => asks)
  const start = given.now()
  const outcomes = await Promise.all(
    calls.map(async ({ name, run }) => {
      const outcome = await settled(run({ timeoutMs }))
      return { name, outcome, tookMs: given.now() - start, ranMs: loop.ranAt() - start }
    }),
  )
  for (const server of servers) server.resume()
  for (const { name, outcome, tookMs, ranMs } of outcomes) {
    const isTimeout = outcome.is === 'rejected' && isCoordinationError(outcome.error, 'TIMEOUT')
    expect(
      isTimeout,
      `${name} must be rejected with TIMEOUT when servers hang, but it was ${describe(outcome)}`,
    ).to.equal(true)
    const what = `how long ${name} took with timeoutMs ${timeoutMs}`
    expect(tookMs, what).to.be.at.least(timeoutMs - 5)
    // a call cannot end while its event loop stalls
    expect(ranMs, `${what}, as far as its event loop ran`).to.be.at.most(timeoutMs + TIMEOUT_SLACK_MS)
  }
  await given.until(
    'all is well again',
    async () => (await settled(a.storage.fetch('/call'))).is === 'resolved',
    10 * given.T,
  )
}
