/** Cases F1–F4 and F6: servers that are killed, paused and restarted, under clients that go on. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type FencingToken,
  isCoordinationError,
  type PluginLocator,
  systemClock,
  type Version,
} from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { watchLoop } from './election-clock.ts'
import { expectExclusiveTerms, recordTerms } from './election-terms.ts'
import {
  expectInTurn,
  expectUnreachable,
  kill,
  pauseAll,
  recovery,
  serversOf,
  takeSeats,
  untilItWrites,
  type Watched,
} from './faults-steps.ts'
import { describe, keepLog, settled } from './lifecycle-steps.ts'
import { parties } from './storage-clients.ts'
import { countTogether, expectSum } from './storage-counter.ts'

export const faultsServers: readonly ConformanceCase[] = [
  {
    id: 'F1',
    title: 'loses no acknowledged write, no last state and no exclusive term when servers are killed',
    needs: ['servers', 'processes'],
    run: killedServers,
    alone: true,
    extraTtls: 40,
  },
  {
    id: 'F2',
    title: 'outlives servers that pause: shortly without a loss, for long with one that is told in time',
    needs: ['servers'],
    run: pausedServers,
    alone: true,
    extraTtls: 20,
  },
  {
    id: 'F3',
    title: 'keeps everything through a rolling restart',
    needs: ['servers'],
    run: rollingRestart,
    alone: true,
    extraTtls: 40,
  },
  {
    id: 'F4',
    title: 'goes on while enough servers are left, gives no wrong answer while too few are, and heals by itself',
    needs: ['servers'],
    run: tooFewServers,
    alone: true,
    extraTtls: 20,
  },
  {
    id: 'F6',
    title: 'can be started before the servers are',
    needs: ['servers'],
    run: startedFirst,
    alone: true,
    extraTtls: 20,
  },
]

const KEY = '/counter'

async function killedServers(given: Given): Promise<void> {
  const servers = serversOf(given)
  const clients = await parties(given, 3)
  const [first] = clients
  const rivals = await Promise.all(['P', 'Q'].map((name) => given.process(name)))
  for (const rival of rivals) await recordTerms(rival, 'throne', rival.name)
  for (const rival of rivals) await rival.election('throne').nominate(rival.name)
  const last = await followCounter(first)

  let isOver = false
  const counting = countTogether(given, clients, { key: KEY, each: Infinity, until: () => isOver })
  for (let round = 0; round < given.scale(1, 5); round++) {
    for (const server of servers) {
      const start = await kill(given, server)
      // sometimes back before anybody has noticed, sometimes after sessions have ended
      await sleep(given.random() * (round % 2 === 0 ? 0.5 : 2) * given.T)
      await start()
      for (const client of clients) await untilItWrites(given, client, '/written')
    }
  }
  isOver = true
  const counted = await counting
  expect(counted.acknowledged, 'increments that were acknowledged').to.be.at.least(servers.length)
  await expectSum(first, KEY, counted)

  const entry = await first.storage.fetchEntry(KEY)
  await given.until(
    'the listeners have been told of the last state',
    () => last.version === entry?.version && last.keys?.has('counter') === true && last.keys.has('written'),
    recovery(given),
  )
  const leaders = () => Promise.all(clients.map(({ election }) => election('throne').getLeader()))
  await given.until(
    'somebody leads again',
    async () => (await leaders()).every((leader) => leader !== undefined),
    recovery(given),
  )
  expectExclusiveTerms(rivals, 1)
}

async function followCounter({ registry }: Party): Promise<{ version?: Version; keys?: ReadonlySet<string> }> {
  const last: { version?: Version; keys?: ReadonlySet<string> } = {}
  await registry.addValueChangeListener(KEY, {
    valueChanged(_text, entry) {
      if (entry !== undefined) last.version = entry.version
    },
  })
  await registry.addKeySetChangeListener('/', {
    keySetChanged(keys) {
      last.keys = keys
    },
  })
  return last
}

async function pausedServers(given: Given): Promise<void> {
  // what is left of it after a short pause must do on a busy machine; the long pause is longer
  const a = await takeSeats(await given.party('A', { sessionTtlMs: 2 * given.T }), 'a')
  const { party, told } = a
  const leadership = await party.election().awaitLeadership('a')
  told.length = 0

  // right after a renewal, for half of what the lease surely lasts then
  const { deadline, ttlMs } = party.session
  await given.until('the lease is renewed', () => party.session.deadline > deadline)
  await pauseAll(given, Math.min(0.5 * ttlMs, (party.session.deadline - systemClock.now()) / 2))
  await given.until('the lease is renewed after a short pause', () => party.session.deadline > deadline + ttlMs / 2)
  expect(told, 'what was lost in a pause that was shorter than the lease').to.deep.equal([])
  expect(leadership.held, 'whether the leadership is held after a short pause').to.equal(true)

  const { signal } = leadership
  const { id } = party.session
  const loop = watchLoop()
  given.after(() => loop.stop())
  let abortedAt = Infinity
  signal.addEventListener('abort', () => (abortedAt = loop.ranAt()), { once: true })
  const pausedAt = given.now()
  await pauseAll(given, 3 * given.T)
  expect(abortedAt - pausedAt, 'how long the leadership went on after the servers had paused, ms').to.be.below(ttlMs)
  await given.until('the session is re-established', () => told.includes('reestablished'), recovery(given))
  expect(party.session.id, 'the id of the next session').not.to.equal(id)
  const next = await party.election().awaitLeadership('a', { timeoutMs: recovery(given) })
  expect(next.token > leadership.token, `whether the token ${next.token} is higher than ${leadership.token}`).to.equal(
    true,
  )
  await given.until('the member is back', () => told.includes('rejoined'), recovery(given))
  expectAllInTurn(a)
}

function expectAllInTurn(watched: Watched): void {
  expectInTurn(watched, ['lost', 'reestablished'])
  expectInTurn(watched, ['membership lost', 'rejoined'])
  expectInTurn(watched, ['leadership lost', 'elected'])
}

async function rollingRestart(given: Given): Promise<void> {
  const servers = serversOf(given)
  const a = await takeSeats(await given.party('A'), 'a')
  const b = await takeSeats(await given.party('B'), 'b')
  const version = await a.party.storage.put('/kept', 'for ever')
  const tokens: FencingToken[] = []
  const epochs: FencingToken[] = []
  let last: string | undefined
  await b.party.registry.addValueChangeListener('/moving', {
    valueChanged(text) {
      last = text
    },
  })
  for (const [at, server] of servers.entries()) {
    const start = await kill(given, server)
    await sleep(given.random() * given.T)
    await start()
    for (const { party } of [a, b]) await untilItWrites(given, party, '/written')
    await write(a.party, '/moving', String(at), recovery(given))
    await given.until('the other client is told of the last write', () => last === String(at), recovery(given))
    await given.until(
      'both are members, and one leads',
      async () => {
        const members = await b.party.group().members()
        const leader = await a.party.election().leader()
        expect([...members.keys()].sort(), 'the members').to.deep.equal(['a', 'b'])
        expect(leader?.candidate, 'the leader').to.be.oneOf(['a', 'b'])
        tokens.push(leader?.token ?? 0n)
        epochs.push(members.get('a')?.epoch ?? 0n)
        return true
      },
      recovery(given),
    )
  }
  expect(tokens, 'the tokens, which must not fall').to.deep.equal(sorted(tokens))
  expect(epochs, 'the epochs, which must not fall').to.deep.equal(sorted(epochs))
  const kept = await b.party.storage.fetchEntry('/kept')
  expect([kept?.text, kept?.version], 'what was stored before').to.deep.equal(['for ever', version])
  for (const watched of [a, b]) expectAllInTurn(watched)
}

/** Whether it is there or not, and whatever became of the last attempt. */
async function write({ storage }: Party, key: string, value: string, timeoutMs: number): Promise<void> {
  const current = await storage.fetchEntry(key, { timeoutMs })
  if (current?.text === value) return
  if (current === undefined) await storage.put(key, value, { timeoutMs })
  else await storage.update(key, value, { ifVersion: current.version, timeoutMs })
}

function sorted(tokens: readonly FencingToken[]): FencingToken[] {
  return [...tokens].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0))
}

async function tooFewServers(given: Given): Promise<void> {
  const servers = serversOf(given)
  const a = await given.party('A')
  const version = await a.storage.put('/k', 'old')
  const starts: (() => Promise<void>)[] = []
  const { enoughServers = Math.ceil(servers.length / 2) } = given.harness
  for (const [at, server] of servers.slice(0, servers.length - enoughServers + 1).entries()) {
    if (at > 0) await untilItWrites(given, a, '/written')
    starts.push(await kill(given, server))
  }

  const timeoutMs = given.T / 2
  const writing = await Promise.all([
    settled(a.storage.put('/new', 'new', { timeoutMs })),
    settled(a.storage.update('/k', 'new', { ifVersion: version, timeoutMs })),
    settled(a.group().join('a', '', { timeoutMs })),
    settled(a.election().nominate('a', { timeoutMs })),
  ])
  for (const outcome of writing) {
    if (outcome.is === 'resolved') throw new Error(`a write without enough servers ${describe(outcome)}`)
    expectUnreachable(outcome.error, 'a write without enough servers')
    if (!isCoordinationError(outcome.error)) throw outcome.error
    const { retriable, effect } = outcome.error
    expect([retriable, effect], 'what is advised of a write whose effect is unknown').not.to.deep.equal([
      true,
      'unknown',
    ])
  }
  for (const reading of [
    a.storage.fetch('/k', { timeoutMs }),
    a.storage.fetch('/k', { timeoutMs, consistency: 'sequential' }),
  ]) {
    const outcome = await settled(reading)
    if (outcome.is === 'rejected') {
      expectUnreachable(outcome.error, 'a read without enough servers')
      expect(
        isCoordinationError(outcome.error) && outcome.error.retriable,
        'whether such a read may be tried again',
      ).to.equal(true)
    } else {
      expect(outcome.value, 'a value read without enough servers').to.equal('old')
    }
  }
  for (const start of starts) await start()
  await untilItWrites(given, a, '/written')
  const [put, update] = writing.map(
    (outcome) => outcome.is === 'rejected' && isCoordinationError(outcome.error) && outcome.error.effect,
  )
  const timeout = { timeoutMs: recovery(given) }
  const [isPut, isUpdated] = [
    (await a.storage.fetch('/new', timeout)) === 'new',
    (await a.storage.fetch('/k', timeout)) === 'new',
  ]
  if (put === 'none') expect(isPut, 'whether a put without effect was done').to.equal(false)
  if (update === 'none') expect(isUpdated, 'whether an update without effect was done').to.equal(false)
  await given.until('it can lead again', async () => leads(given, a), recovery(given))
}

/** Of a candidate that may or may not have been nominated before. */
async function leads(given: Given, { election }: Party): Promise<boolean> {
  const outcome = await settled(election().nominate('a', { timeoutMs: given.T }))
  if (outcome.is === 'rejected' && !isCoordinationError(outcome.error, 'CANDIDATE_EXISTS')) {
    expectUnreachable(outcome.error, 'nominate after the servers are back')
  }
  return election().leadership('a')?.held === true
}

async function startedFirst(given: Given): Promise<void> {
  const servers = serversOf(given)
  const file = await given.serverProperties(await given.link())
  const starts = []
  for (const server of servers) starts.push(await kill(given, server))
  let serversSince = Infinity
  const starting = startPatiently(given, file, () => serversSince + recovery(given))
  await sleep(given.T / 2)
  for (const start of starts) await start()
  serversSince = given.now()
  const { locator, failures } = await starting
  given.after(() => locator.shutdown())
  given.history.note({ 'starts that failed before the servers were there': failures })
  const storage = locator.getStorage()
  await storage.put('/k', 'v', { timeoutMs: recovery(given) })
  expect(await storage.fetch('/k'), 'what was stored').to.equal('v')
  expect(await locator.getLeaderElection('controller').nominate('a'), 'whether the only candidate leads').to.equal(true)
}

/** As a broker that is started again when it fails: a start may wait for the servers, or give up in time. */
async function startPatiently(
  given: Given,
  file: string,
  end: () => number,
): Promise<{ readonly locator: PluginLocator; readonly failures: number }> {
  for (let failures = 0; ; failures++) {
    const starting = loadPlugin(file, { logger: keepLog().logger }, { timeoutMs: 2 * given.T })
    const outcome = await settled(starting)
    if (outcome.is === 'resolved') return { locator: outcome.value, failures }
    expectUnreachable(outcome.error, 'a start before the servers are there')
    if (given.now() > end())
      throw new Error(`no start has succeeded with the servers there; the last one ${describe(outcome)}`)
    await sleep(50)
  }
}
