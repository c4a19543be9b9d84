/** The port of a store, on the log: a read is a look at the state, a write is a command. */
import { randomUUID } from 'node:crypto'
import type {
  Call,
  Commit,
  CommitOutcome,
  Follow,
  FollowSink,
  Holder,
  ReadCall,
  ScanPage,
  ScanRange,
  Seat,
  Seated,
  SessionGrant,
  StoreDriver,
} from 'keta/backends/shared'
import {
  type Capabilities,
  compareKeys,
  CoordinationError,
  type Entry,
  type FencingToken,
  makeEntry,
  type PluginContext,
  prefixOf,
  versionOf,
} from 'keta/spi'
import { ExpiryWatch, LONGEST_STEP_MS } from './expiry.ts'
import { Follows, pause } from './follows.ts'
import { Log } from './log.ts'
import type { Command, Reply, Sitting, Touched, Value } from './state.ts'

export interface DirectoryOptions {
  readonly folder: string
  readonly pollMs: number
  readonly segmentFiles: number
}

/** Besides the poll: reading a file, on a machine that does other things too. Milliseconds. */
const READ_MS = 200

export function capabilitiesOf(pollMs: number): Capabilities {
  return {
    backend: 'directory',
    persistent: true,
    multiProcess: true,
    linearizableReads: true,
    atomicFencing: true,
    snapshotScan: false,
    transactions: { maxOps: 128 },
    notifications: { mode: 'poll', maxLagMs: pollMs + READ_MS },
    session: { minTtlMs: 10 * LONGEST_STEP_MS, granularityMs: LONGEST_STEP_MS },
    limits: { maxKeyBytes: 4096, maxValueBytes: 1_048_576 },
  }
}

export class DirectoryDriver implements StoreDriver {
  readonly capabilities: Capabilities
  readonly #context: PluginContext
  readonly #log: Log
  readonly #follows: Follows
  readonly #expiry = new ExpiryWatch()
  readonly #closing = new AbortController()
  readonly #pollMs: number
  #polling: Promise<void> = Promise.resolve()

  private constructor(context: PluginContext, { folder, pollMs, segmentFiles }: DirectoryOptions) {
    this.#context = context
    this.#pollMs = pollMs
    this.capabilities = capabilitiesOf(pollMs)
    this.#log = new Log({
      folder,
      clock: context.clock,
      segmentFiles,
      onChange: (touched) => this.#follows.tell(touched),
    })
    this.#follows = new Follows({ clock: context.clock, retryMs: pollMs, sync: () => this.#log.sync() })
  }

  static async open(context: PluginContext, options: DirectoryOptions): Promise<DirectoryDriver> {
    const driver = new DirectoryDriver(context, options)
    try {
      await driver.#log.sync()
    } catch (error) {
      await driver.close()
      throw error
    }
    driver.#polling = driver.#poll()
    return driver
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#log.close()
    await this.#polling
  }

  async openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    const id = randomUUID()
    const granted = Math.max(ttlMs, this.capabilities.session.minTtlMs)
    await this.#log.append({ does: 'open', session: id, ttlMs: granted }, call)
    return { id, ttlMs: granted }
  }

  async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    const reply = await this.#log.append({ does: 'renew', session: id }, call)
    return reply.is === 'open' ? { id, ttlMs: reply.ttlMs } : undefined
  }

  async endSession(id: string, call: Call): Promise<void> {
    await this.#log.append({ does: 'end', session: id }, call)
  }

  async takeSeat(seat: Seat, { id, session, nonce, data }: Holder, call: Call): Promise<Seated> {
    const sitting = { seat, id, session, nonce, data: base64(data) }
    const reply = await this.#log.append({ does: 'take', sitting }, call)
    if (reply.is === 'seated') return asSeated(reply.sitting)
    throw sessionLost(session, 'none')
  }

  async amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    const command = { does: 'amend', seat, token: String(token), data: base64(data) } as const
    return (await this.#log.append(command, call)).is === 'done'
  }

  async emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    await this.#log.append({ does: 'empty', seat, token: String(token) }, call)
  }

  async readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    await this.#lookFor(call)
    const sitting = this.#log.state.sitting(seat)
    return sitting && asSeated(sitting)
  }

  async readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    await this.#lookFor(call)
    const sittings = [...this.#log.state.seats.values()].filter(({ seat }) => isMember(seat, group))
    return new Map(sittings.map((sitting) => [sitting.id, asSeated(sitting)] as const))
  }

  async read(key: string, call: ReadCall): Promise<Entry | undefined> {
    await this.#lookFor(call)
    return this.#entry(key)
  }

  async scan({ from, to, limit }: ScanRange, call: ReadCall): Promise<ScanPage> {
    await this.#lookFor(call)
    const isWithin = (key: string) => compareKeys(key, from) >= 0 && compareKeys(key, to) < 0
    const keys = [...this.#log.state.values.keys()].filter(isWithin).sort(compareKeys)
    const entries = keys.slice(0, limit).flatMap((key) => this.#entry(key) ?? [])
    return { entries, more: keys.length > limit, at: undefined }
  }

  async commit({ id, changes, fence }: Commit, call: Call): Promise<CommitOutcome> {
    const command: Command = {
      does: 'commit',
      name: id,
      changes: changes.map(({ key, expect, become }) => ({
        key,
        expect,
        ...(become !== 'unchanged' && { become: become === 'absent' ? null : base64(become) }),
      })),
      ...(fence && { fence: { service: fence.service, token: String(fence.token) } }),
    }
    const outcome = asOutcome(await this.#log.append(command, call))
    if (typeof outcome === 'object') return outcome
    if (outcome === 'session over') throw sessionLost(id.session, 'none')
    throw new CoordinationError('TIMEOUT', 'too late: given up before', { backend: 'directory', effect: 'none' })
  }

  async outcomeOf({ id }: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    const outcome = asOutcome(await this.#log.append({ does: 'settle', name: id }, call))
    if (outcome === 'session over') throw sessionLost(id.session, 'unknown')
    return outcome
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#followValues((candidate) => candidate === key, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    const prefix = prefixOf(namespace)
    return this.#followValues((key) => key.startsWith(prefix), sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.#followSeats((seat) => (isLeader(seat, service) ? service : undefined), sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#followSeats((seat) => (isMember(seat, group) ? seat.id : undefined), sink)
  }

  #followValues(isMeant: (key: string) => boolean, sink: FollowSink<Entry>): Follow {
    const all = () => [...this.#log.state.values.keys()].map((key) => ({ key }))
    const told = (touched: Touched) => {
      if (!('key' in touched) || !isMeant(touched.key)) return undefined
      return [touched.key, this.#entry(touched.key)] as const
    }
    return this.#follows.add({ all, told }, sink)
  }

  #followSeats(nameOf: (seat: Seat) => string | undefined, sink: FollowSink<Seated>): Follow {
    const told = (touched: Touched) => {
      const name = 'seat' in touched ? nameOf(touched.seat) : undefined
      if (name === undefined || !('seat' in touched)) return undefined
      const sitting = this.#log.state.sitting(touched.seat)
      return [name, sitting && asSeated(sitting)] as const
    }
    return this.#follows.add({ all: () => this.#log.state.seats.values(), told }, sink)
  }

  /** For as long as the driver is open: reads the log, and says which sessions have been silent for too long. */
  async #poll(): Promise<void> {
    const { clock, logger } = this.#context
    const { signal } = this.#closing
    const isOpen = () => !signal.aborted
    let isFailing = false
    while (isOpen()) {
      try {
        await this.#log.sync()
        const silent = this.#expiry.look(clock.now(), this.#log.state.sessions)
        const call = { signal, timeoutMs: this.#pollMs * 10 }
        await Promise.all(silent.map((one) => this.#log.append({ does: 'expire', ...one }, call)))
        isFailing = false
      } catch (error) {
        if (isOpen() && !isFailing) logger.warn('the log cannot be read or written', { error })
        isFailing = true
      }
      await pause(clock, this.#pollMs, signal)
    }
  }

  async #lookFor({ consistency }: ReadCall): Promise<void> {
    if (consistency === 'linearizable') await this.#log.sync()
  }

  #entry(key: string): Entry | undefined {
    const value = this.#log.state.values.get(key)
    return value && asEntry(key, value)
  }
}

function isLeader(seat: Seat, service: string): boolean {
  return seat.kind === 'leader' && seat.service === service
}

function isMember(seat: Seat, group: string): seat is Extract<Seat, { kind: 'member' }> {
  return seat.kind === 'member' && seat.group === group
}

function asOutcome(reply: Reply): CommitOutcome | 'never' | 'session over' {
  if (reply.is === 'committed') {
    const versions = new Map(reply.written.map((key) => [key, versionOf(reply.version)] as const))
    return { committed: true, versions }
  }
  if (reply.is === 'refused') {
    const found = new Map([...reply.found].map(([key, value]) => [key, value && asEntry(key, value)] as const))
    return { committed: false, found, token: reply.token === undefined ? undefined : BigInt(reply.token) }
  }
  return reply.is === 'never' ? 'never' : 'session over'
}

function asEntry(key: string, { data, version }: Value): Entry {
  return makeEntry(key, Buffer.from(data, 'base64'), versionOf(version))
}

function asSeated({ id, session, nonce, data, token }: Sitting): Seated {
  return { id, session, nonce, data: new Uint8Array(Buffer.from(data, 'base64')), token: BigInt(token) }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

function sessionLost(session: string, effect: 'none' | 'unknown'): CoordinationError {
  return new CoordinationError('SESSION_LOST', `the session ${session} is over`, { backend: 'directory', effect })
}
