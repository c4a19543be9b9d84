/** Cases X6 and X18–X20: many candidates and many terms. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FencingToken } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party, RemoteParty } from '../kit/party.ts'
import { elect, failoverMs, logTerms, queue, SERVICE, untilElected } from './election-steps.ts'
import { underWay } from './group-calls.ts'
import { steady } from './group-steps.ts'
import { calmTrio } from './storage-clients.ts'
import { inParallel, refusal } from './storage-steps.ts'

export const electionMany: readonly ConformanceCase[] = [
  {
    id: 'X6',
    title: 'of many candidates one is elected, and one successor each time that the leader goes, with rising tokens',
    needs: ['processes'],
    run: race,
    extraTtls: 40,
  },
  {
    id: 'X18',
    title: 'tokens rise through resignations, crashes and times without any candidate',
    needs: ['processes'],
    run: tokensRise,
    extraTtls: 60,
  },
  {
    id: 'X19',
    title: 'once a successor is elected no client reads its predecessor as the leader',
    capability: 'linearizableReads',
    run: neverBack,
    otherwise: unsupportedReads,
  },
  { id: 'X20', title: 'who only observes is told the last leader, and none twice in a row', run: observe },
]

interface Runner {
  readonly name: string
  readonly nominate: () => Promise<boolean>
  readonly leadership: () => Promise<{ readonly token: FencingToken; readonly held: boolean } | undefined>
  readonly leave: () => Promise<void>
}

async function race(given: Given): Promise<void> {
  const mortals = Array.from({ length: given.scale(3, 8) }, (_, index) => `mortal-${index}`)
  const others = Array.from({ length: given.scale(4, 24) }, (_, index) => `other-${index}`)
  // not all at once: starting them is not the subject, and keeps a small machine from all else
  const runners = [
    ...(await inParallel(mortals, async (name) => remoteRunner(await given.process(name)), 2)),
    ...(await inParallel(others, async (name) => localRunner(await given.party(name, steady(given))), 2)),
  ]
  const answers = await Promise.all(runners.map(({ nominate }) => nominate()))
  const elected = runners.filter((_, index) => answers[index])
  expect(
    elected.map(({ name }) => name),
    'who was told to be elected',
  ).to.have.length(1)

  const left = new Set(runners)
  let token = -1n
  while (left.size > 0) {
    const [leader, term] = await given.until('there is a leader', () => onlyLeader(left), failoverMs(given))
    expect(term.token > token, `whether the token of ${leader.name}, ${term.token}, is above ${token}`).to.equal(true)
    token = term.token
    await leader.leave()
    left.delete(leader)
  }
}

function remoteRunner(party: RemoteParty): Runner {
  const election = party.election(SERVICE)
  return {
    name: party.name,
    nominate: () => election.nominate(party.name),
    leadership: () => election.leadership(party.name),
    leave: () => party.kill(),
  }
}

function localRunner(party: Party): Runner {
  const election = party.election(SERVICE)
  return {
    name: party.name,
    nominate: () => election.nominate(party.name),
    leadership: async () => election.leadership(party.name),
    leave: () => party.locator.shutdown(),
  }
}

async function onlyLeader(
  runners: ReadonlySet<Runner>,
): Promise<readonly [Runner, { token: FencingToken }] | undefined> {
  const terms = await Promise.all(
    [...runners].map(async (runner) => {
      const term = await runner.leadership()
      return term?.held === true ? [[runner, term] as const] : []
    }),
  )
  const leaders = terms.flat()
  if (leaders.length > 1) throw new Error(`${leaders.map(([{ name }]) => name).join(' and ')} lead at one time`)
  return leaders[0]
}

async function tokensRise(given: Given): Promise<void> {
  const [a, b] = [await given.party('A'), await given.party('B')]
  const tokens: FencingToken[] = []
  const resignAfter = async (party: Party, candidate: string) => {
    const { token } = await elect(party, candidate, SERVICE)
    tokens.push(token)
    await party.election(SERVICE).resign(candidate)
  }
  const terms = given.scale(3, 45)
  for (let term = 0; term < terms; term++) await resignAfter(term % 2 === 0 ? a : b, 'c')

  const mortal = await given.process('M')
  expect(await mortal.election(SERVICE).nominate('m'), 'whether M is elected where nobody leads').to.equal(true)
  tokens.push((await mortal.election(SERVICE).awaitLeadership('m')).token)
  await queue(a, 'a', SERVICE)
  await mortal.kill()
  tokens.push((await untilElected(given, a, 'a', { service: SERVICE })).token)
  await a.locator.shutdown()
  await sleep(2 * given.T)
  await resignAfter(b, 'c')
  await b.locator.shutdown()
  for (const name of ['C', 'D']) {
    const party = await given.party(name)
    await resignAfter(party, 'c')
    await party.locator.shutdown()
  }
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1]
    if (before === undefined) continue
    expect(token > before, `whether the token of term ${index + 1}, ${token}, is above ${before}`).to.equal(true)
  }
}

async function neverBack(given: Given): Promise<void> {
  const start = (name: string) => given.party(name, steady(given))
  const [a, b, distant] = [await start('A'), await start('B'), await start('C')]
  // what it is told, and what it asks, is late: neither may make it answer from what it was told before
  if (given.harness.endpoints.length > 0) distant.link.delay(given.T / 40)
  const names: string[] = []
  for (const { election } of [a, b]) {
    await election().addListener({
      onLeaderChange: () => undefined,
      onElected({ candidate }) {
        names.push(candidate)
      },
    })
  }
  let isOver = false
  const wrong: string[] = []
  const read = async ({ name, election }: Party) => {
    while (!isOver) {
      const elected = names.length
      const leader = await election().getLeader()
      const term = leader === undefined ? Infinity : names.indexOf(leader)
      // a leader may be read before it is told itself
      if (term !== -1 && term < elected - 1) {
        wrong.push(`${name} read ${String(leader)} after ${names[elected - 1] ?? ''} had been elected`)
      }
      // who answers from memory must not keep all others from being told
      await sleep(1)
    }
  }
  await distant.election().addListener({ onLeaderChange: () => undefined })
  const readers = underWay(Promise.all([a, b, distant].map(read)))
  const terms = given.scale(8, 40)
  for (let term = 0; term < terms; term++) {
    const [now, next] = term % 2 === 0 ? [a, b] : [b, a]
    if (term === 0) await elect(now, 'term-0')
    await queue(next, `term-${term + 1}`)
    await now.election().resign(`term-${term}`)
    await untilElected(given, next, `term-${term + 1}`)
  }
  isOver = true
  await readers.result
  if (wrong.length > 0) expect.fail(`leaders were read after they had been replaced: ${wrong.slice(0, 5).join('; ')}`)
}

async function unsupportedReads(given: Given): Promise<void> {
  const a = await given.party('A')
  const read = a.election().getLeader({ consistency: 'linearizable' })
  await refusal('UNSUPPORTED', 'a linearizable read where there are none', read)
}

async function observe(given: Given): Promise<void> {
  const [a, b, observer] = await calmTrio(given)
  const log = await logTerms(observer.election(), { initial: true })
  await given.until('the observer is told that nobody leads', () => log.leaders.length === 1)
  expect(log.leaders, 'what it is told at first').to.deep.equal([undefined])
  await elect(a, 'a')
  await given.until('the observer is told of the leader', () => log.leaders.at(-1) === 'a')
  const late = await logTerms(observer.election(), { initial: true })
  await given.until('a later listener is told of the leader too', () => late.leaders.at(-1) === 'a')

  const turns = given.scale(4, 30)
  for (let turn = 0; turn < turns; turn++) {
    const [now, next] =
      turn % 2 === 0
        ? [
            { party: a, id: 'a' },
            { party: b, id: 'b' },
          ]
        : [
            { party: b, id: 'b' },
            { party: a, id: 'a' },
          ]
    await queue(next.party, next.id)
    await now.party.election().resign(now.id)
    await untilElected(given, next.party, next.id)
  }
  const last = turns % 2 === 0 ? 'a' : 'b'
  const all = [log, late]
  await given.until('the observers are told the last leader', () => all.every(({ leaders }) => leaders.at(-1) === last))
  await (turns % 2 === 0 ? a : b).locator.shutdown()
  await given.until('the observers are told that nobody leads', () =>
    all.every(({ leaders }) => leaders.at(-1) === undefined),
  )
  for (const { leaders, elected, lost } of all) {
    const repeated = leaders.filter((leader, index) => index > 0 && leader === leaders[index - 1])
    expect(repeated, 'leaders that were told twice in a row').to.deep.equal([])
    expect(
      leaders.filter((leader) => ![undefined, 'a', 'b'].includes(leader)),
      'leaders that never were',
    ).to.deep.equal([])
    expect([...elected, ...lost], 'terms of its own that an observer was told of').to.deep.equal([])
  }
}
