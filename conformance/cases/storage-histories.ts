/** Case S20: random histories of registers, judged by the linearizability checker. */
import { expect } from 'chai'
import { type Entry, isCoordinationError, type Version } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { checkRegisters, type ReadOutput } from '../kit/linearizability-register.ts'
import type { Party } from '../kit/party.ts'
import { calmParties } from './storage-clients.ts'
import { pick } from './storage-steps.ts'

export const storageHistories: readonly ConformanceCase[] = [
  {
    id: 'S20',
    title: 'what six clients see of a few keys is linearizable, also over a slow network that resets connections',
    run: randomHistories,
    extraTtls: 30,
  },
]

interface RandomHistory {
  /** Kept apart from others of the same case. */
  readonly namespace: string
  readonly keys: number
  /** Operations of each client. */
  readonly each: number
  /** Stop early when this is true. */
  until?(): boolean
}

async function randomHistories(given: Given): Promise<void> {
  const clients = await calmParties(given, 6)
  const calm = { namespace: '/calm', keys: 3, each: given.scale(40, 1_000) }
  const refused = await operateAtRandom(given, clients, calm)
  expect(refused, 'calls that failed without any fault').to.deep.equal([])
  expectLinearizable(given)
  if (given.harness.endpoints.length === 0) return
  for (const { link } of clients) {
    link.delay(given.T / 40, given.T / 80)
    link.unreliable(0.02)
  }
  const start = given.now()
  const enough = given.scale(2, 20) * given.T
  const rough = { namespace: '/rough', keys: 3, each: given.scale(25, 300) }
  await operateAtRandom(given, clients, { ...rough, until: () => given.now() - start > enough })
  for (const { link } of clients) link.heal()
  await lastReads(given, clients, rough)
  expectLinearizable(given)
}

/** All clients at once, each one operation after another. @returns the errors that are not answers. */
async function operateAtRandom(
  given: Given,
  clients: readonly Party[],
  { namespace, keys, each, until = () => false }: RandomHistory,
): Promise<string[]> {
  const failures: string[] = []
  const work = async (party: Party) => {
    const known = new Map<string, Version>()
    for (let done = 0; done < each && !until(); done++) {
      const key = keyOf(namespace, Math.floor(given.random() * keys))
      try {
        const version = await operate(given, party, { key, value: `${party.name}${done}`, known: known.get(key) })
        if (version !== undefined) known.set(key, version)
      } catch (error) {
        if (!isCoordinationError(error)) throw error
        if (!ANSWERS.has(error.code)) failures.push(`${party.name}: ${error.code} ${error.message}`)
        if (error.current !== undefined) known.set(key, error.current.version)
      }
    }
  }
  await Promise.all(clients.map(work))
  return failures
}

const ANSWERS: ReadonlySet<string> = new Set(['KEY_EXISTS', 'KEY_NOT_FOUND', 'VERSION_MISMATCH'])

interface Chosen {
  readonly key: string
  readonly value: string
  readonly known: Version | undefined
}

/** @returns the version that the client knows now. */
async function operate(given: Given, party: Party, { key, value, known }: Chosen): Promise<Version | undefined> {
  const { name: process, storage } = party
  const ifVersion = known !== undefined && given.random() < 0.7 ? { ifVersion: known } : {}
  const op = pick(given, ['put', 'update', 'update', 'delete', 'read', 'read'] as const)
  switch (op) {
    case 'read': {
      const { found } = await read(given, party, key)
      return found === null ? undefined : (found.version as Version)
    }
    case 'put': {
      const about = { process, op, key, input: { value } }
      return (await given.history.record(about, async () => ({ version: await storage.put(key, value) }))).version
    }
    case 'update': {
      const about = { process, op, key, input: { value, ...ifVersion } }
      const call = async () => ({ version: await storage.update(key, value, ifVersion) })
      return (await given.history.record(about, call)).version
    }
    case 'delete': {
      const about = { process, op, key, input: ifVersion }
      await given.history.record(about, async () => ({ existed: await storage.delete(key, ifVersion) }))
      return undefined
    }
  }
}

async function read(given: Given, { name, storage }: Party, key: string): Promise<ReadOutput> {
  return given.history.record({ process: name, op: 'read', key }, async () => {
    return { found: plain(await storage.fetchEntry(key)) }
  })
}

function plain(entry: Entry | undefined): ReadOutput['found'] {
  return entry === undefined ? null : { value: entry.text, version: entry.version }
}

/** What is there in the end is what tells whether writes in doubt took effect. */
async function lastReads(
  given: Given,
  clients: readonly Party[],
  { namespace, keys }: Pick<RandomHistory, 'namespace' | 'keys'>,
): Promise<void> {
  for (const party of clients) {
    for (let key = 0; key < keys; key++) {
      await given.until(`${party.name} reads again`, async () => {
        try {
          return await read(given, party, keyOf(namespace, key))
        } catch (error) {
          if (isCoordinationError(error)) return undefined
          throw error
        }
      })
    }
  }
}

/** All that the case has recorded of registers. */
function expectLinearizable(given: Given): void {
  const anomalies = checkRegisters(given.history.operations)
  expect(anomalies.map(({ key, message }) => `${key}: ${message}`).join('\n\n'), 'what is not linearizable').to.equal(
    '',
  )
}

function keyOf(namespace: string, number: number): string {
  return `${namespace}/key${number}`
}
