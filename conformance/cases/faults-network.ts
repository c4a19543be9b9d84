/** Cases F5, F7, F8 and F9: bad networks, dead addresses, sessions that end together, and what all that leaves. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Link } from '../kit/link.ts'
import { expectInTurn, recovery, takeSeats, untilItWrites } from './faults-steps.ts'
import { type ChurnArgs, type Footprints, grown, heapLimit } from './lifecycle-churn.ts'
import { keepLog, load, settled } from './lifecycle-steps.ts'
import { calmParties, parties } from './storage-clients.ts'
import { countTogether, expectSum } from './storage-counter.ts'
import { patient } from './storage-steps.ts'

export const faultsNetwork: readonly ConformanceCase[] = [
  {
    id: 'F5',
    title: 'stays right on a slow network that breaks connections',
    needs: ['links'],
    run: badNetwork,
    extraTtls: 30,
  },
  { id: 'F7', title: 'finds a living server behind a dead address', needs: ['links'], run: deadAddress, extraTtls: 20 },
  {
    id: 'F8',
    title: 'comes back whole when all sessions end together',
    needs: ['expireSession'],
    run: allExpired,
    extraTtls: 20,
  },
  {
    id: 'F9',
    title: 'leaves nothing in the process, and no error uncaught, however the network is disturbed',
    needs: ['links', 'processes'],
    run: nothingLeaks,
    extraTtls: 30,
  },
]

async function badNetwork(given: Given): Promise<void> {
  const clients = await parties(given, 3)
  const [a, b] = clients
  const watched = [await takeSeats(a, 'a'), await takeSeats(b, 'b')]
  let last: string | undefined
  await b.registry.addValueChangeListener('/counter', {
    valueChanged(text) {
      last = text
    },
  })
  const delayMs = Math.min(200, given.T / 10)
  for (const { link } of clients) {
    link.delay(delayMs, delayMs / 2)
    link.unreliable(0.05)
  }
  const end = given.now() + given.scale(4, 30) * given.T
  const counted = await countTogether(given, clients, {
    key: '/counter',
    each: Infinity,
    until: () => given.now() > end,
  })
  for (const { link } of clients) link.heal()
  for (const client of clients) await untilItWrites(given, client, '/written')
  expect(counted.acknowledged, 'increments that were acknowledged').to.be.at.least(1)
  await expectSum(a, '/counter', counted)
  const sum = await a.storage.fetch('/counter')
  await given.until('the listener is told of the last state', () => last === sum, recovery(given))
  await given.until(
    'both are members again, and one leads',
    async () => {
      expect([...(await a.group().membershipList())].sort(), 'the members').to.deep.equal(['a', 'b'])
      expect(await b.election().getLeader(), 'the leader').to.be.oneOf(['a', 'b'])
      return true
    },
    recovery(given),
  )
  for (const one of watched) {
    expectInTurn(one, ['lost', 'reestablished'])
    expectInTurn(one, ['membership lost', 'rejoined'])
    expectInTurn(one, ['leadership lost', 'elected'])
  }
}

async function deadAddress(given: Given): Promise<void> {
  for (const death of ['refuses', 'is silent'] as const) {
    const dead = await given.link()
    const alive = await given.link()
    if (death === 'refuses') dead.cut()
    else dead.blackHole('both')
    await startAt(given, [...dead.endpoints, ...alive.endpoints], death)
  }
  await moveOn(given)
}

async function startAt(given: Given, endpoints: readonly string[], death: string): Promise<void> {
  const link = await given.link()
  const file = await given.serverProperties(link)
  const config = given.harness.properties(endpoints)
  const starting = load(given, file, { config, logger: keepLog().logger }, patient(given))
  const outcome = await settled(starting)
  if (outcome.is === 'rejected') {
    throw new Error(`with a first address that ${death} no living server was found`, { cause: outcome.error })
  }
  const storage = outcome.value.getStorage()
  for (let time = 0; time < 5; time++) await storage.put(`/${death.replace(' ', '-')}/${time}`, 'x')
  await outcome.value.shutdown()
}

/** An address that dies under a client: the other one leads to the same servers. */
async function moveOn(given: Given): Promise<void> {
  const ways = await Promise.all([given.link(), given.link()])
  const endpoints = ways.flatMap((way) => way.endpoints)
  const a = await given.party('A', { properties: given.harness.properties(endpoints) })
  const members = a.group()
  await members.join('a', '', { timeoutMs: 5 * given.T })
  for (const way of [...ways, ...ways]) {
    way.cut()
    await untilItWrites(given, a, '/written')
    way.heal()
  }
  const b = await given.party('B')
  await given.until('the member is there', async () => (await b.group().membershipList()).has('a'), recovery(given))
}

async function allExpired(given: Given): Promise<void> {
  const count = given.scale(12, 50)
  // their sessions end by the hook, which they learn when they renew them, and by nothing else
  const clients = await calmParties(given, count)
  const [observer] = clients
  const names = clients.map(({ name }) => name)
  // all at once is much for some stores; how they come back is what counts here
  const patient = { timeoutMs: recovery(given) }
  const all = await Promise.all(clients.map((client) => takeSeats(client, client.name, patient)))
  const before = await observer.group().members()
  const leaderBefore = await given.until('somebody leads', async () => observer.election().leader())
  expect([...before.keys()].sort(), 'the members before').to.deep.equal([...names].sort())
  for (const { told } of all) told.length = 0

  await Promise.all(all.map(async ({ party }) => given.hooks.expireSession?.(party.session.id)))
  for (const { party, told } of all) {
    await given.until(`${party.name} is back`, () => told.includes('rejoined'), recovery(given))
  }
  await given.until('all are members again, with higher epochs', async () => {
    const after = await observer.group().members()
    expect([...after.keys()].sort(), 'the members afterwards').to.deep.equal([...names].sort())
    const stale = names.filter((name) => (after.get(name)?.epoch ?? 0n) <= (before.get(name)?.epoch ?? 0n))
    expect(stale, 'members whose epoch has not risen').to.deep.equal([])
    return true
  })
  const leader = await given.until('somebody leads again', async () => {
    const now = await observer.election().leader()
    return now !== undefined && now.token > leaderBefore.token && now
  })
  await given.until('exactly one acts as leader', () => {
    const acting = clients.filter(({ name, election }) => election().leadership(name)?.held === true)
    return acting.length === 1 && acting[0]?.name === leader.candidate
  })
  for (const one of all) {
    const { told, party } = one
    const times = (word: string) => told.filter((each) => each === word).length
    const counts = ['lost', 'reestablished', 'membership lost', 'rejoined'].map(times)
    expect(counts, `${party.name} was told: ${told.join(', ')}`).to.deep.equal([1, 1, 1, 1])
    expect(told.indexOf('lost'), `${party.name} was told: ${told.join(', ')}`).to.be.below(
      told.indexOf('reestablished'),
    )
    expectInTurn(one, ['leadership lost', 'elected'])
  }
}

async function nothingLeaks(given: Given): Promise<void> {
  const host = await given.process('host')
  const link = await given.link()
  const args: ChurnArgs = {
    serverProperties: await given.serverProperties(link),
    warmUp: 4,
    rounds: 10,
    forMs: given.scale(2, 40) * given.T,
    timeoutMs: given.T / 6,
    disturbed: true,
  }
  let isOver = false
  const disturbing = disturb(given, link, () => isOver)
  const measured = await host.run<Footprints>('churnClients', args).finally(() => {
    isOver = true
  })
  await disturbing
  given.history.note({ ...measured })
  expect(measured.started, 'clients that could be started all the same').to.be.at.least(1)
  expect(measured.failed, 'calls that the disturbances made fail').to.be.at.least(1)
  expect(grown(measured), 'what the process still holds after its clients were closed').to.deep.equal([])
  const grownBy = measured.after.heapBytes - measured.before.heapBytes
  expect(grownBy, `by how much ${measured.started} clients let the heap grow, bytes`).to.be.below(heapLimit(measured))
  await given.until('no connection is left', () => link.connections === 0, given.T)
}

/** One fault after another, each for longer than a call may take, with good times between them. */
async function disturb(given: Given, link: Link, isOver: () => boolean): Promise<void> {
  const faults = [
    () => link.cut(),
    () => link.blackHole('both'),
    () => link.blackHole('to-client'),
    () => link.blackHole('to-server'),
    () => link.resetAll(),
    () => link.unreliable(0.3),
    () => link.delay(given.T / 10, given.T / 10),
  ]
  for (let turn = 0; !isOver(); turn++) {
    faults[turn % faults.length]?.()
    await sleep(((1 + given.random()) * given.T) / 6)
    link.heal()
    await sleep((given.random() * given.T) / 10)
  }
}
