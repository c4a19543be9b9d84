/** What has been done to the state and is not yet durable; and how it becomes the changes of one commit. */
import type { Command } from '../../command/command.ts'
import type { StoredVersion } from '../../mvcc/stored-version.ts'
import type { PositionedState } from '../../state/journal.ts'
import { type Change, STATE_KEY } from './database.ts'
import { leaseKey, leaseRow, makeVersionKey, stateRow, type StoredHeader, versionRow, writeVersionKey } from './rows.ts'

/** Removals beyond this many wait for the next commit: a compaction may have millions of them, and nothing hurries. */
const MAX_REMOVALS = 8192

/** What one commit makes durable. */
export interface Batch {
  readonly versions: readonly StoredVersion[]
  /** Their encoded length together. */
  readonly bytes: number
  readonly removals: readonly StoredVersion[]
  /** Undefined: a lease that was revoked. */
  readonly leases: ReadonlyMap<bigint, { readonly ordinal: number; readonly ttl: number } | undefined>
  /** Undefined if no record was applied since the last commit. */
  readonly state: StoredHeader | undefined
}

export class Pending {
  #versions: StoredVersion[] = []
  /** How many of `#versions` were written by whole records, and their bytes: what may be committed. */
  #wholeVersions = 0
  #wholeBytes = 0
  #bytes = 0
  readonly #removals: StoredVersion[] = []
  #leases = new Map<bigint, { readonly ordinal: number; readonly ttl: number } | undefined>()
  #nextOrdinal: number
  #state: StoredHeader | undefined
  #alarms: StoredHeader['header']['alarms']

  /** @param alarms those that are raised. */
  constructor(nextOrdinal: number, alarms: StoredHeader['header']['alarms']) {
    this.#nextOrdinal = nextOrdinal
    this.#alarms = alarms
  }

  /** Bytes of versions that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** True if more than the position in the log is to be made durable. */
  get hasChanges(): boolean {
    return this.#wholeVersions > 0 || this.#removals.length > 0 || this.#leases.size > 0
  }

  get isEmpty(): boolean {
    return !this.hasChanges && this.#state === undefined
  }

  added(version: StoredVersion): void {
    this.#versions.push(version)
    this.#bytes += version.encodedLength
  }

  removed(version: StoredVersion): void {
    this.#removals.push(version)
  }

  /** What was added is whole: a record was applied, or what is loaded has no records. */
  complete(): void {
    this.#wholeVersions = this.#versions.length
    this.#wholeBytes = this.#bytes
  }

  applied(state: PositionedState, command: Command | undefined): void {
    this.complete()
    if (command?.kind === 'leaseGrant') this.#granted(command.id, command.ttl)
    else if (command?.kind === 'leaseRevoke') this.#leases.set(command.id, undefined)
    else if (command?.kind === 'alarm') this.#alarms = state.alarms.list()
    this.#state = this.#headerOf(state)
  }

  loaded(state: PositionedState): void {
    this.complete()
    for (const { id, ttl } of state.leases.leases()) this.#granted(id, ttl)
    this.#alarms = state.alarms.list()
    this.#state = this.#headerOf(state)
  }

  /** Takes what can be committed; what belongs to a record that is being applied stays. */
  take(): Batch {
    const versions = this.#versions
    this.#versions = versions.splice(this.#wholeVersions)
    const batch = {
      versions,
      bytes: this.#wholeBytes,
      removals: this.#removals.splice(0, MAX_REMOVALS),
      leases: this.#leases,
      state: this.#state,
    }
    this.#bytes -= this.#wholeBytes
    this.#wholeVersions = 0
    this.#wholeBytes = 0
    this.#leases = new Map()
    this.#state = undefined
    return batch
  }

  #granted(id: bigint, ttl: number): void {
    this.#leases.set(id, { ordinal: this.#nextOrdinal++, ttl })
  }

  #headerOf({ position, claimer, featureLevel, store, auth }: PositionedState): StoredHeader {
    const { revision, compactRevision } = store
    const alarms = this.#alarms
    return {
      compactRevision,
      header: { position, claimer, featureLevel, revision, leases: [], alarms, auth: auth.image },
    }
  }
}

/**
 * The rows of the batch. First what was written, then what was removed: a version may be in both.
 * The same key buffer is used again and again.
 */
export function* changesOf({ versions, removals, leases, state }: Batch): Generator<Change> {
  const key = makeVersionKey()
  for (const version of versions) {
    writeVersionKey(key, version)
    yield { table: 'versions', key, value: versionRow(version, version.encodedLength) }
    yield { table: 'values', key, value: asBuffer(version.encoded()) }
  }
  for (const version of removals) {
    writeVersionKey(key, version)
    yield { table: 'versions', key, value: undefined }
    yield { table: 'values', key, value: undefined }
  }
  for (const [id, lease] of leases) {
    yield { table: 'leases', key: leaseKey(id), value: lease && leaseRow({ id, ...lease }) }
  }
  if (state !== undefined) yield { table: 'meta', key: STATE_KEY, value: stateRow(state) }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
