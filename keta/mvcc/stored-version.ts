/**
 * One version as the store holds it. There may be millions: the fields are numbers and shared references, in one fixed
 * shape, and the bytes are elsewhere: see value-store.ts.
 */
import type { Key } from '../bytes/key.ts'
import type { Arena } from './arena.ts'
import { type KeyValueFields, keyValueLength, valueBounds, writeKeyValue } from './kv-encoding.ts'
import type { Version } from './kv.ts'
import type { Place } from './place.ts'

/** What a version knows of the other versions of its key. */
export interface VersionsOfKey {
  readonly key: Key
  /** The newest version with modRevision ≤ `revision`, be it a tombstone or not. */
  at(revision: number): StoredVersion | undefined
}

const NO_LEASE = 0n
const EMPTY_VALUE = new Uint8Array(0)

export class StoredVersion implements Version {
  readonly history: VersionsOfKey
  readonly modRevision: number
  readonly sub: number
  readonly createRevision: number
  readonly version: number
  readonly lease: bigint
  readonly encodedLength: number
  #place: Place
  #offset: number

  /** The encoded bytes lie at `offset` of `place`. */
  constructor(
    history: VersionsOfKey,
    fields: KeyValueFields,
    sub: number,
    place: Place,
    offset: number,
    encodedLength: number,
  ) {
    this.history = history
    this.modRevision = fields.modRevision
    this.sub = sub
    this.createRevision = fields.createRevision
    this.version = fields.version
    // Decoders make a new zero each time; a shared one costs nothing per version.
    this.lease = fields.lease === NO_LEASE ? NO_LEASE : fields.lease
    this.encodedLength = encodedLength
    this.#place = place
    this.#offset = offset
  }

  get place(): Place {
    return this.#place
  }

  get key(): Key {
    return this.history.key
  }

  get isTombstone(): boolean {
    return this.version === 0
  }

  encoded(): Uint8Array {
    return this.#place.view(this.#offset, this.encodedLength, this)
  }

  value(): Uint8Array {
    if (this.isTombstone) return EMPTY_VALUE
    const bytes = this.encoded()
    const { start, end } = valueBounds(bytes, this)
    return bytes.subarray(start, end)
  }

  /**
   * Whether this version still exists after a compaction at `compactRevision`. A tombstone of exactly that revision
   * does, until the next compaction: a watch from there on must see the deletion (as in etcd ≥ 3.5.16 and 3.6).
   */
  survives(compactRevision: number): boolean {
    if (this.modRevision > compactRevision) return true
    if (this.isTombstone && this.modRevision < compactRevision) return false
    return this.history.at(compactRevision) === this
  }

  /** The same bytes lie elsewhere from now on. */
  moveTo(place: Place, offset: number): void {
    this.#place = place
    this.#offset = offset
  }
}

/** Encodes a new version into the arena. `value` is copied. */
export function storeVersion(
  arena: Arena,
  history: VersionsOfKey,
  fields: KeyValueFields,
  sub: number,
  value: Uint8Array = EMPTY_VALUE,
): StoredVersion {
  const length = keyValueLength(fields, value.length)
  const chunk = arena.allocate(length)
  const offset = chunk.used - length
  writeKeyValue(chunk.bytes, offset, fields, value)
  return new StoredVersion(history, fields, sub, chunk, offset, length)
}
