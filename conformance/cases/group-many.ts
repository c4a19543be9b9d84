/** Cases G14 and G16: many clients, and many incarnations. */
import { expect } from 'chai'
import { type FencingToken, isCoordinationError } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { expectNoRepeats, GROUP, type GroupLog, logGroup, SLACK_MS, steady } from './group-steps.ts'
import { inParallel, patient, pick } from './storage-steps.ts'

export const groupMany: readonly ConformanceCase[] = [
  {
    id: 'G14',
    title: 'all observers come to see the truth, however many clients have joined and left at random',
    run: converge,
    extraTtls: 20,
  },
  {
    id: 'G16',
    title: 'epochs rise with every incarnation, whoever it is, through times without any and restarts of the servers',
    alone: true,
    run: epochsRise,
    extraTtls: 20,
  },
]

async function converge(given: Given): Promise<void> {
  const count = given.scale(10, 50)
  const names = Array.from({ length: count }, (_, index) => `P${index}`)
  const parties = await inParallel(names, (name) => given.party(name, steady(given)))
  const logs = await inParallel(parties, ({ group }) => logGroup(given, group(), { initial: true }))
  const truth = new Map<string, FencingToken>()
  const steps = given.scale(8, 40)
  const held = await inParallel(parties, (party) => joinAndLeave(given, party, steps, truth), count)
  const [first] = parties
  truth.set('last', (await first!.group().join('last', '', patient(given))).epoch)
  await expectTruth(given, parties, logs, truth)

  // whatever chance has ended with: now the last news are of leaving
  await first!.group().leave('last', patient(given))
  await inParallel(
    parties.map(({ group }, index) => ({ group, ids: held[index] ?? [] })),
    async ({ group, ids }) => {
      for (const id of ids) await group().leave(id, patient(given))
    },
    count,
  )
  await expectTruth(given, parties, logs, new Map())
  for (const [index, { states }] of logs.entries()) expectNoRepeats(names[index] ?? '', states)
}

async function expectTruth(
  given: Given,
  parties: readonly Party[],
  logs: readonly GroupLog[],
  truth: ReadonlyMap<string, FencingToken>,
): Promise<void> {
  const expected = [...truth.keys()].sort()
  const differing = () =>
    logs.flatMap(({ latest }, index) => (latest?.join() === expected.join() ? [] : [parties[index]?.name]))
  await given.until(
    'all listeners have been told the truth',
    () => {
      expect(differing(), `who was last told something else than ${expected.join()}`).to.deep.equal([])
      return true
    },
    given.T + given.graceMs + SLACK_MS,
  )
  await inParallel(parties, async ({ name, group }) => {
    const members = await group().members(patient(given))
    const epochs = new Map([...members].map(([id, { epoch }]) => [id, epoch]))
    expect(epochs, `the members as ${name} sees them in the end`).to.deep.equal(truth)
  })
}

/** Half of the ids are a client's own, the others are fought for. @returns what it holds in the end. */
async function joinAndLeave(
  given: Given,
  { name, group }: Party,
  steps: number,
  truth: Map<string, FencingToken>,
): Promise<ReadonlySet<string>> {
  const held = new Set<string>()
  for (let step = 0; step < steps; step++) {
    if (held.size > 0 && given.random() < 0.4) {
      const id = pick(given, [...held])
      // before the call: another client may have the id before it returns
      held.delete(id)
      truth.delete(id)
      await group().leave(id, patient(given))
      continue
    }
    const id = given.random() < 0.5 ? `${name}-${step % 3}` : `any-${Math.floor(given.random() * 4)}`
    try {
      const { epoch } = await group().join(id, name, patient(given))
      held.add(id)
      truth.set(id, epoch)
    } catch (error) {
      if (!isCoordinationError(error, 'MEMBER_EXISTS')) throw error
    }
  }
  return held
}

async function epochsRise(given: Given): Promise<void> {
  const parties = [await given.party('A'), await given.party('B')] as const
  const epochs: FencingToken[] = []
  const incarnation = async (party: Party, between?: () => Promise<void>) => {
    const membership = await party.group(GROUP).join('1', '', { onConflict: 'wait', ...patient(given) })
    epochs.push(membership.epoch)
    await between?.()
    await party.group(GROUP).leave('1', patient(given))
  }
  const count = given.scale(6, 20)
  for (let turn = 0; turn < count; turn++) await incarnation(turn % 2 === 0 ? parties[0] : parties[1])
  await endOfSession(given, incarnation)
  if (given.hooks.servers !== undefined && given.capabilities.persistent) {
    await restartServers(given)
    for (const party of parties) await incarnation(party)
    const log = await logGroup(given, parties[0].group(GROUP))
    await incarnation(parties[0], async () => {
      await restartServers(given)
      await parties[0].group(GROUP).members(patient(given))
    })
    // if the restart was too long for its session
    epochs.push(...log.rejoined.map(({ epoch }) => epoch))
    await incarnation(parties[1])
  }
  for (const [index, epoch] of epochs.entries()) {
    const before = epochs[index - 1]
    if (before !== undefined) {
      expect(epoch > before, `incarnation ${index + 1} of the id has the epoch ${epoch}, after ${before}`).to.equal(
        true,
      )
    }
  }
}

/** With the client goes all that the store may have kept for its session. */
async function endOfSession(given: Given, incarnation: (party: Party) => Promise<void>): Promise<void> {
  for (const name of ['C', 'D']) {
    const party = await given.party(name)
    await incarnation(party)
    await party.locator.shutdown()
  }
}

async function restartServers({ hooks: { servers = [] } }: Given): Promise<void> {
  await Promise.all(servers.map((server) => server.kill()))
  await Promise.all(servers.map((server) => server.start()))
}
