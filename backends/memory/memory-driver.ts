/**
 * The driver of the reference store: names what the port asks for in the store's terms, and its answers in the SPI's.
 */
import { randomUUID } from 'node:crypto'
import {
  type Capabilities,
  type Entry,
  type FencingToken,
  makeEntry,
  type PluginContext,
  versionOf,
} from '../../spi/index.ts'
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
} from '../shared/driver.ts'
import { followByRevision, type RevisionSink } from '../shared/follow-by-revision.ts'
import type { StoreAccess } from './access.ts'
import { memoryCapabilities } from './capabilities.ts'
import {
  type Outcome,
  rangeBelow,
  rangeOfGroup,
  rangeOfKey,
  rangeOfKeys,
  rangeOfSeat,
  tokenOf,
  versionTextOf,
} from './store.ts'
import type { Range, Row } from './tables.ts'

/** Of a follow's snapshot: the caller waits for it without a limit, the connection should not. Milliseconds. */
const SNAPSHOT_TIMEOUT_MS = 5_000

export class MemoryDriver implements StoreDriver {
  readonly capabilities: Capabilities
  readonly #access: StoreAccess
  readonly #context: PluginContext
  readonly #cluster: string

  constructor(access: StoreAccess, context: PluginContext) {
    this.#access = access
    this.#context = context
    this.#cluster = context.clusterId
    this.capabilities = memoryCapabilities(access)
  }

  async openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    const id = randomUUID()
    await this.#access.ask('openSession', [id, ttlMs], call)
    return { id, ttlMs }
  }

  async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    const ttlMs = await this.#access.ask('renewSession', [id], call)
    return ttlMs === undefined ? undefined : { id, ttlMs }
  }

  async endSession(id: string, call: Call): Promise<void> {
    await this.#access.ask('endSession', [id], call)
  }

  async takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return seatedOf(await this.#access.ask('takeSeat', [this.#cluster, seat, holder], call))
  }

  async amendSeat(seat: Seat, token: FencingToken, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#access.ask('amendSeat', [this.#cluster, seat, token, data], call)
  }

  async emptySeat(seat: Seat, token: FencingToken, call: Call): Promise<void> {
    await this.#access.ask('emptySeat', [this.#cluster, seat, token], call)
  }

  async readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    const [row] = (await this.#all(rangeOfSeat(this.#cluster, seat), false, call)).rows
    return row && seatedOf(row)
  }

  async readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return byKey((await this.#all(rangeOfGroup(this.#cluster, group), false, call)).rows, seatedOf)
  }

  async read(key: string, call: ReadCall): Promise<Entry | undefined> {
    const [row] = (await this.#all(rangeOfKey(this.#cluster, key), false, call)).rows
    return row && entryOf(row)
  }

  async scan({ from, to, limit, keysOnly, at }: ScanRange, call: ReadCall): Promise<ScanPage> {
    const moment = at === undefined ? undefined : Number(at)
    const query = { ...rangeOfKeys(this.#cluster, from, to), limit, keysOnly, at: moment }
    const { rows, more, revision } = await this.#access.ask('page', [query], call)
    return { entries: rows.map(entryOf), more, at: String(revision) }
  }

  async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    return outcomeOf(await this.#access.ask('commit', [this.#cluster, commit], call))
  }

  async outcomeOf({ id }: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    const outcome = await this.#access.ask('outcomeOf', [id], call)
    return outcome === 'never' ? 'never' : outcomeOf(outcome)
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#follow(`key ${key}`, rangeOfKey(this.#cluster, key), false, entryOf, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    return this.#follow(`namespace ${namespace}`, rangeBelow(this.#cluster, namespace), true, entryOf, sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    const range = rangeOfSeat(this.#cluster, { kind: 'leader', service })
    return this.#follow(`service ${service}`, range, false, seatedOf, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#follow(`group ${group}`, rangeOfGroup(this.#cluster, group), false, seatedOf, sink)
  }

  async close(): Promise<void> {
    await this.#access.close()
  }

  #follow<T>(what: string, range: Range, keysOnly: boolean, read: (row: Row) => T, sink: FollowSink<T>): Follow {
    const source = {
      what,
      snapshot: async (signal: AbortSignal) => {
        const { rows, revision } = await this.#all(range, keysOnly, { signal, timeoutMs: SNAPSHOT_TIMEOUT_MS })
        return { at: BigInt(revision), all: byKey(rows, read) }
      },
      watch: (from: bigint, changes: RevisionSink<T>, signal: AbortSignal) => {
        const told = (rows: ReadonlyMap<string, Row | undefined>, revision: number) =>
          changes.changed(new Map([...rows].map(([key, row]) => [key, row && read(row)])), BigInt(revision))
        return this.#access.watch({ ...range, keysOnly }, Number(from), told, signal)
      },
    }
    return followByRevision(this.#context, source, sink)
  }

  /** All rows of a range at one moment, however many pages they are. */
  async #all(range: Range, keysOnly: boolean, call: Call): Promise<{ rows: Row[]; revision: number }> {
    const rows: Row[] = []
    let { from } = range
    for (let at: number | undefined; ; ) {
      const page = await this.#access.ask('page', [{ ...range, from, limit: Infinity, keysOnly, at }], call)
      rows.push(...page.rows)
      const last = page.rows.at(-1)
      if (!page.more || last === undefined) return { rows, revision: page.revision }
      at = page.revision
      from = `${last.key}\0`
    }
  }
}

function entryOf({ key, bytes, revision }: Row): Entry {
  return makeEntry(key, bytes, versionOf(versionTextOf(revision)))
}

function seatedOf(row: Row): Seated {
  const { id = '', session = '', nonce = '' } = row.occupant ?? {}
  return { id, session, nonce, data: new Uint8Array(row.bytes), token: tokenOf(row) }
}

function byKey<T>(rows: readonly Row[], read: (row: Row) => T): Map<string, T> {
  return new Map(rows.map((row) => [row.key, read(row)]))
}

function outcomeOf(outcome: Outcome): CommitOutcome {
  if (!outcome.committed) {
    const found = new Map([...outcome.found].map(([key, row]) => [key, row && entryOf(row)]))
    return { committed: false, found, token: outcome.token }
  }
  const version = versionOf(versionTextOf(outcome.revision))
  return { committed: true, versions: new Map(outcome.written.map((key) => [key, version])) }
}
