/** Cases L4–L8: the end of a client, whenever it comes. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCoordinationError, keySets, type PluginLocator, values } from '../../spi/index.ts'
import { findPlugin, loadPlugin } from '../../spi/node/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { type UnderWay, underWay } from './group-calls.ts'
import {
  describe,
  everyCall,
  findTheirs,
  keepLog,
  load,
  type NamedCall,
  readCalls,
  readServerProperties,
  servicesOf,
  settlesWithin,
  writeCalls,
} from './lifecycle-steps.ts'
import { calmParties, calmParty } from './storage-clients.ts'
import { refusal } from './storage-steps.ts'

export const lifecycleClosing: readonly ConformanceCase[] = [
  { id: 'L4', title: 'can be closed at any time and any number of times', run: closeAnyTime },
  { id: 'L5a', title: 'ends every wait with CLOSED at once when it is closed', run: closeEndsWaits },
  {
    id: 'L5b',
    title: 'ends every call that has no answer yet with CLOSED at once when it is closed',
    needs: ['links'],
    run: closeEndsCalls,
    extraTtls: 5,
  },
  { id: 'L6a', title: 'refuses every call after it was closed, and calls nobody any more', run: nothingAfterClose },
  { id: 'L6b', title: 'keeps no process alive after it was closed', needs: ['processes'], run: processEnds },
  {
    id: 'L7',
    title: 'gives memberships and leaderships back when it is closed, after its own listeners know',
    run: closeReleases,
  },
  {
    id: 'L8',
    title: 'is closed by `await using`, and so are its services, memberships and leaderships',
    run: awaitUsing,
  },
]

/** The catalogue’s: whatever waits is told so soon of the end. */
const AT_ONCE_MS = 1_000

/** Longer than others need to be told, also on a busy machine: who lets go before the end of duties is seen. */
const DUTIES_MS = 300

/** "Bounded in time": what is given back may need the store once more. */
function closeLimit({ T }: Given): number {
  return T + 5_000
}

async function closeAnyTime(given: Given): Promise<void> {
  const server = await readServerProperties(given, await given.link())
  const { locatorClass, context, configFile } = await findPlugin(server)
  const { logger } = keepLog()

  const never = new locatorClass()
  const befores = [never.shutdown(), never.shutdown()]
  await expectResolved(given, 'shutdown of a locator that was never started', Promise.all(befores))
  given.after(() => never.shutdown())
  const late = await settlesWithin(
    'startup after shutdown',
    closeLimit(given),
    never.startup(configFile, { ...context, logger }),
  )
  expect(late.is, 'what became of a startup after shutdown').to.equal('rejected')

  const starting = new locatorClass()
  given.after(() => starting.shutdown())
  const startup = starting.startup(configFile, { ...context, logger })
  await expectResolved(given, 'shutdown during startup', starting.shutdown())
  const started = await settlesWithin('the startup that was under way at shutdown', AT_ONCE_MS, startup)
  if (started.is === 'rejected' && !isCoordinationError(started.error, 'CLOSED')) {
    throw new Error(`a startup that was under way at shutdown must not be ${describe(started)}`)
  }
  const fetched = settlesWithin('fetch after shutdown', AT_ONCE_MS, fetchAnything(starting))
  expect((await fetched).is, 'what became of a fetch after shutdown during startup').to.equal('rejected')

  const { locator, storage, registry, group, election } = await given.party('A')
  await registry.addValueChangeListener('/a', { valueChanged: () => undefined })
  await group().join('a', '')
  await election().nominate('a')
  const services = [storage, registry, group(), election()]
  await expectResolved(
    given,
    'close of all services at once, twice',
    Promise.all([...services, ...services].map((one) => one.close())),
  )
  await expectResolved(given, 'shutdown three times at once', Promise.all([1, 2, 3].map(() => locator.shutdown())))
  await expectResolved(given, 'shutdown once more', locator.shutdown())
  for (const service of services) {
    expect(service.closing.aborted, 'whether `closing` has aborted').to.equal(true)
    expect(isCoordinationError(service.closing.reason, 'CLOSED'), 'whether `closing` aborted with CLOSED').to.equal(
      true,
    )
    await expectResolved(given, 'close after shutdown', service.close())
  }
}

async function fetchAnything(locator: PluginLocator): Promise<unknown> {
  return locator.getStorage().fetch('/anything')
}

async function expectResolved(given: Given, what: string, closing: Promise<unknown>): Promise<void> {
  const outcome = await settlesWithin(what, closeLimit(given), closing)
  if (outcome.is === 'rejected') throw new Error(`${what} must never reject, but it ${describe(outcome)}`)
}

async function closeEndsWaits(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  await b.group().join('held', '')
  await b.election().nominate('b')
  expect(await a.election().nominate('a'), 'whether a second candidate leads at once').to.equal(false)
  await a.storage.put('/k', 'v')
  const waits: [string, UnderWay<unknown>][] = [
    ['join with onConflict wait', underWay(a.group().join('held', '', { onConflict: 'wait' }))],
    ['awaitLeadership', underWay(a.election().awaitLeadership('a'))],
    ['a loop over values', underWay(drain(values(a.registry, '/k')))],
    ['a loop over key sets', underWay(drain(keySets(a.registry, '/')))],
  ]
  await given.until('the waits are under way', async () => (await a.group().membershipList()).has('held'))
  await given.always('all wait', () => waits.every(([, wait]) => !wait.settled), 100)
  const closing = a.locator.shutdown()
  const outcomes = waits.map(([what, { result }]) => expectClosed(what, result, what.startsWith('a loop')))
  await Promise.all(outcomes)
  await expectResolved(given, 'shutdown', closing)
  expect([...(await b.group().membershipList())], 'the members, after a client that waited was closed').to.deep.equal([
    'held',
  ])
  expect(await b.election().getLeader(), 'the leader, after a client that waited was closed').to.equal('b')
}

async function drain(states: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of states) continue
}

async function expectClosed(what: string, call: Promise<unknown>, mayEnd = false): Promise<void> {
  const outcome = await settlesWithin(`${what}, pending at close,`, AT_ONCE_MS, call)
  if (outcome.is === 'rejected' && isCoordinationError(outcome.error, 'CLOSED')) return
  if (outcome.is === 'resolved' && mayEnd) return
  throw new Error(`${what}, pending at close, must be rejected with CLOSED, but it was ${describe(outcome)}`)
}

async function closeEndsCalls(given: Given): Promise<void> {
  const a = await given.party('A')
  const services = servicesOf(a.locator)
  await a.storage.put('/call', 'old')
  a.link.holdReplies()
  const options = { timeoutMs: 20 * given.T }
  const pending = [...readCalls(given, services), ...writeCalls(given, services)]
    .filter(({ asks }) => asks)
    .map((call): [NamedCall, UnderWay<unknown>] => [call, underWay(call.run(options))])
  await given.always('no call is answered without a reply', () => pending.every(([, call]) => !call.settled), 100)
  const closing = a.locator.shutdown()
  await Promise.all(pending.map(([{ name }, { result }]) => expectClosed(name, result)))
  await expectResolved(given, 'shutdown without an answer from the store', closing)
  a.link.resetAll()
}

async function nothingAfterClose(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const called: string[] = []
  await a.registry.addValueChangeListener('/k', { valueChanged: () => void called.push('valueChanged') })
  await a.registry.addKeySetChangeListener('/', { keySetChanged: () => void called.push('keySetChanged') })
  await a.group().addListener({ onGroupChange: () => void called.push('onGroupChange') })
  await a.election().addListener({ onLeaderChange: () => void called.push('onLeaderChange') })
  a.session.addListener({
    onLost: () => void called.push('onLost'),
    onSuspended: () => void called.push('onSuspended'),
  })
  await a.group().join('a', '')
  const leads = await a.election().nominate('a')
  expect(leads, 'whether the first candidate leads').to.equal(true)
  await a.storage.put('/k', 'v')
  await given.until(
    'the first change is told',
    () => called.includes('valueChanged') && called.includes('keySetChanged'),
  )

  const { storage, group, election, registry } = servicesOf(a.locator)
  await a.storage.close()
  await refusal('CLOSED', 'fetch after the storage was closed', a.storage.fetch('/k'))
  const open = [...(await group.membershipList()), (await election.getLeader()) ?? 'nobody']
  expect(open, 'the members and the leader, after only the storage was closed').to.deep.equal(['a', 'a'])

  await a.locator.shutdown()
  called.length = 0
  for (const call of everyCall(given, { storage, group, election, registry })) await expectRefused(call)
  expect(election.leadership('a'), 'the leadership of a closed client').to.equal(undefined)
  expect(a.session.state, 'the state of the session of a closed client').to.equal('closed')

  await provoke(given, b)
  await given.always(
    'a closed client calls no listener',
    () => called.length === 0,
    2 * given.capabilities.notifications.maxLagMs + 100,
  )
}

async function expectRefused({ name, run }: NamedCall): Promise<void> {
  const outcome = await settlesWithin(`${name} after close`, AT_ONCE_MS, run({}))
  if (outcome.is === 'rejected' && isCoordinationError(outcome.error, 'CLOSED')) return
  throw new Error(`${name} after close must be rejected with CLOSED, but it was ${describe(outcome)}`)
}

/** Changes everything that there are listeners for, and sees it told to a client that is open. */
async function provoke(given: Given, b: Party): Promise<void> {
  const seen = new Set<string>()
  await b.registry.addValueChangeListener('/k', { valueChanged: () => void seen.add('value') })
  await b.registry.addKeySetChangeListener('/', { keySetChanged: () => void seen.add('keys') })
  await b.group().addListener({ onGroupChange: () => void seen.add('group') })
  await b.election().addListener({ onLeaderChange: () => void seen.add('leader') })
  await b.storage.update('/k', 'w')
  await b.storage.put('/another', '')
  await b.group().join('b', '')
  await b.election().nominate('b')
  await given.until('an open client is told of everything', () => seen.size === 4)
}

async function processEnds(given: Given): Promise<void> {
  const a = await given.process('A')
  await a.group().join('a', 'data')
  await a.election().nominate('a')
  await a.storage.put('/k', 'v')
  const b = await given.process('B')
  await b.group().observe()
  await b.election().nominate('b')
  for (const party of [a, b]) {
    const ended = await settlesWithin(
      `the process of ${party.name}, whose client was closed,`,
      closeLimit(given),
      party.end(),
    )
    expect(describe(ended), `the end of ${party.name}`).to.equal('resolved with 0')
  }
}

/** The session is long: who sees it gone has not waited for its end. */
async function closeReleases(given: Given): Promise<void> {
  const a = await given.party('A', { sessionTtlMs: 10 * given.T })
  const b = await given.party('B')
  const order: string[] = []
  await a.group().addListener({
    onGroupChange: () => undefined,
    async onMembershipLost(_membership, reason) {
      order.push(`membership lost: ${reason}`)
      await sleep(DUTIES_MS)
      order.push('membership ended')
    },
  })
  await a.election().addListener({
    onLeaderChange: () => undefined,
    async onLeadershipLost(_leadership, reason) {
      order.push(`leadership lost: ${reason}`)
      await sleep(DUTIES_MS)
      order.push('leadership ended')
    },
  })
  const membership = await a.group().join('a', '')
  await a.election().nominate('a')
  const leadership = await a.election().awaitLeadership('a')
  await b.group().addListener({
    onGroupChange(members) {
      if (!members.has('a')) order.push('seen without the member')
    },
  })
  await b.election().nominate('b')
  await b.election().addListener({ onLeaderChange: () => undefined, onElected: () => void order.push('successor') })

  const closing = a.locator.shutdown()
  await expectResolved(given, 'shutdown', closing)
  expect([membership.signal.aborted, leadership.signal.aborted], 'the signals after close').to.deep.equal([true, true])
  await given.until(
    'others see the member gone and lead themselves, long before the end of the lease',
    () => order.includes('seen without the member') && order.includes('successor'),
  )
  expect([...(await b.group().membershipList())], 'the members').to.deep.equal([])
  expect(await b.election().getLeader(), 'the leader').to.equal('b')
  const before = (first: string, second: string) => {
    expect(order, `what happened at the close`).to.include(first)
    expect(order.indexOf(first), `'${first}' before '${second}' in ${order.join(', ')}`).to.be.below(
      order.indexOf(second),
    )
  }
  before('membership lost: closed', 'membership ended')
  before('leadership lost: closed', 'leadership ended')
  before('membership ended', 'seen without the member')
  before('leadership ended', 'successor')
}

async function awaitUsing(given: Given): Promise<void> {
  const b = await calmParty(given, 'B')
  const file = await given.serverProperties(await given.link(), { sessionTtlMs: 10 * given.T })
  const escaped = await useAndLeave(given, file, b)
  await refusal('CLOSED', 'fetch after `await using`', fetchAnything(escaped))
  await given.until(
    'nothing is left of a client that was used up',
    async () => (await b.group().membershipList()).size === 0 && (await b.election().getLeader()) === undefined,
  )
  const { locatorClass } = await findTheirs(given)
  expect(new locatorClass()[Symbol.asyncDispose], 'Symbol.asyncDispose of the locator').to.be.a('function')
}

async function useAndLeave(given: Given, file: string, b: Party): Promise<PluginLocator> {
  await using locator = await loadPlugin(file, { logger: keepLog().logger })
  const { group, election, storage } = servicesOf(locator)
  {
    await using membership = await group.join('a', '')
    await election.nominate('a')
    await using leadership = await election.awaitLeadership('a')
    expect([...(await b.group().membershipList())], 'the members').to.deep.equal([membership.id])
    expect(await b.election().getLeader(), 'the leader').to.equal(leadership.candidate)
  }
  expect([...(await b.group().membershipList())], 'the members, after the membership was used up').to.deep.equal([])
  expect(await b.election().getLeader(), 'the leader, after the leadership was used up').to.equal(undefined)
  await group.join('a', '')
  await election.nominate('a')
  {
    await using closed = await load(given, file)
    await using services = closed.getStorage()
    await services.put('/k', 'v')
  }
  expect(await storage.fetch('/k'), 'what the other client has stored').to.equal('v')
  return locator
}
