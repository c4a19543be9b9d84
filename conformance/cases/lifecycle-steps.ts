/** Steps of the cases on lifecycle, errors and faults: every call there is, and how soon a call settles. */
import { readFile, writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type GroupMembershipClient,
  isCoordinationError,
  type LeaderElectionClient,
  type ListenerRegistry,
  type OpOptions,
  type PluginHost,
  type PluginLocator,
  type Storage,
} from '../../spi/index.ts'
import { findPlugin, type FoundPlugin, loadPlugin, parseProperties } from '../../spi/node/index.ts'
import type { Given } from '../kit/case.ts'
import type { Link } from '../kit/link.ts'
import { propertiesText } from '../kit/properties-text.ts'
import { patient, show } from './storage-steps.ts'

export interface Services {
  readonly storage: Storage
  readonly registry: ListenerRegistry
  readonly group: GroupMembershipClient
  readonly election: LeaderElectionClient
}

export interface NamedCall {
  readonly name: string
  /** It cannot be answered without the store. */
  readonly asks: boolean
  run(options: OpOptions): Promise<unknown>
}

/** Of a party, or of a locator. */
export function servicesOf(locator: PluginLocator): Services {
  return {
    storage: locator.getStorage(),
    registry: locator.getListenerRegistry(),
    group: locator.getGroupMembership('brokers'),
    election: locator.getLeaderElection('controller'),
  }
}

/** Every call that may wait, on names that begin with the given one. */
export function everyCall(given: Given, services: Services, name = 'call'): NamedCall[] {
  return [...readCalls(given, services, name), ...writeCalls(given, services, name), ...listenCalls(services, name)]
}

export function readCalls(given: Given, { storage, group, election }: Services, name = 'call'): NamedCall[] {
  // a read that need not be up to date may be answered from what the client knows
  const asks = given.capabilities.linearizableReads
  return [
    { name: 'fetch', asks, run: (options) => storage.fetch(`/${name}`, options) },
    { name: 'fetchEntry', asks, run: (options) => storage.fetchEntry(`/${name}`, options) },
    { name: 'list', asks, run: (options) => storage.list(`/${name}`, options) },
    {
      name: 'scan',
      asks,
      run: async (options) => {
        for await (const entry of storage.scan(`/${name}`, options)) return entry
        return undefined
      },
    },
    { name: 'membershipList', asks, run: (options) => group.membershipList(options) },
    { name: 'membership', asks, run: (options) => group.membership(options) },
    { name: 'members', asks, run: (options) => group.members(options) },
    { name: 'getLeader', asks, run: (options) => election.getLeader(options) },
    { name: 'leader', asks, run: (options) => election.leader(options) },
  ]
}

export function writeCalls(given: Given, { storage, group, election }: Services, name = 'call'): NamedCall[] {
  const key = `/${name}`
  const transact = (options: OpOptions) =>
    storage.transact([{ op: 'put', key: `${key}-transacted`, data: '' }], options)
  return [
    { name: 'put', asks: true, run: (options) => storage.put(`${key}-put`, 'new', options) },
    { name: 'update', asks: true, run: (options) => storage.update(key, 'new', options) },
    { name: 'delete', asks: true, run: (options) => storage.delete(key, options) },
    ...(given.capabilities.transactions === false ? [] : [{ name: 'transact', asks: true, run: transact }]),
    { name: 'join', asks: true, run: (options) => group.join(name, 'new', options) },
    { name: 'updateData', asks: false, run: (options) => group.updateData(`${name}-member`, 'new', options) },
    { name: 'leave', asks: false, run: (options) => group.leave(`${name}-member`, options) },
    { name: 'nominate', asks: true, run: (options) => election.nominate(name, options) },
    { name: 'awaitLeadership', asks: false, run: (options) => election.awaitLeadership(`${name}-waiter`, options) },
    { name: 'resign', asks: false, run: (options) => election.resign(`${name}-waiter`, options) },
    { name: 'withdraw', asks: false, run: (options) => election.withdraw(`${name}-waiter`, options) },
  ]
}

function listenCalls({ registry, group, election }: Services, name: string): NamedCall[] {
  const value = { valueChanged: () => undefined }
  const keySet = { keySetChanged: () => undefined }
  const members = { onGroupChange: () => undefined }
  const leader = { onLeaderChange: () => undefined }
  return [
    {
      name: 'addValueChangeListener',
      asks: true,
      run: (options) => registry.addValueChangeListener(`/${name}`, value, options),
    },
    {
      name: 'addKeySetChangeListener',
      asks: true,
      run: (options) => registry.addKeySetChangeListener(`/${name}`, keySet, options),
    },
    { name: 'group.addListener', asks: true, run: (options) => group.addListener(members, options) },
    { name: 'election.addListener', asks: true, run: (options) => election.addListener(leader, options) },
  ]
}

export type Settled<T> =
  | { readonly is: 'resolved'; readonly value: T }
  | { readonly is: 'rejected'; readonly error: unknown }

export async function settled<T>(call: Promise<T>): Promise<Settled<T>> {
  return call.then(
    (value) => ({ is: 'resolved', value }),
    (error: unknown) => ({ is: 'rejected', error }),
  )
}

/**
 * Fails unless the call settles in time. Measured on the event loop that the call runs on: while that stalls, for want
 * of a processor, the time does not pass either.
 */
export async function settlesWithin<T>(what: string, ms: number, call: Promise<T>): Promise<Settled<T>> {
  const over = new AbortController()
  const late = sleep(ms, 'late' as const, { signal: over.signal }).catch(() => 'late' as const)
  try {
    const winner = await Promise.race([settled(call), late])
    if (winner === 'late') throw new Error(`${what} has not settled within ${Math.round(ms)} ms`)
    return winner
  } finally {
    over.abort()
  }
}

/** Whether the condition comes true in time; waiting in vain is no failure. */
export async function comesTrue(given: Given, withinMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  try {
    return await given.until('something that need not be seen', condition, withinMs)
  } catch (error) {
    if (error instanceof Error && error.name === 'WaitFailure') return false
    throw error
  }
}

export function describe(outcome: Settled<unknown>): string {
  if (outcome.is === 'resolved') return `resolved with ${show(outcome.value)}`
  const { error } = outcome
  if (isCoordinationError(error)) return `rejected with ${error.code} (effect ${error.effect}): ${error.message}`
  return `rejected with ${error instanceof Error ? `${error.name}: ${error.message}` : show(error)}`
}

/** What a server.properties made by the kit says. */
export async function readServerProperties(given: Given, link: Link): Promise<Record<string, string>> {
  const { properties } = parseProperties(await readFile(await given.serverProperties(link), 'utf8'))
  return Object.fromEntries([...properties].map(([name, { value }]) => [name, value]))
}

/** The plugin under test, found but not started. */
export async function findTheirs(given: Given): Promise<FoundPlugin> {
  return findPlugin(await readServerProperties(given, await given.link()))
}

/** A folder that is gone after the case. */
export async function folderOf(given: Given): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  given.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function writeProperties(path: string, properties: Readonly<Record<string, string>>): Promise<string> {
  await writeFile(path, propertiesText(properties))
  return path
}

/** A logger that keeps everything that it is told, fields included. */
export function keepLog(): { readonly lines: unknown[]; readonly logger: NonNullable<PluginHost['logger']> } {
  const lines: unknown[] = []
  const at = (level: string) => (message: string, fields?: object) => {
    lines.push({ level, message, fields })
  }
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

/** Loaded as a broker would; shut down after the case. */
export async function load(given: Given, ...args: Parameters<typeof loadPlugin>): Promise<PluginLocator> {
  const [server, host = { logger: keepLog().logger }, options = patient(given)] = args
  const locator = await loadPlugin(server, host, options)
  given.after(() => locator.shutdown())
  return locator
}
