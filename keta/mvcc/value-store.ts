/**
 * The port behind which the encoded versions lie. The store keeps of a version what it decides by (key, revisions,
 * lease, length) and leaves the bytes to an adapter: `memory-values.ts`, or one that has them on disk. All is
 * synchronous and nothing fails for reasons of its own: an adapter that writes to a device keeps what is not yet there
 * in memory, and tells its owner, not the store, when the device fails.
 */
import type { KeyValueFields } from './kv-encoding.ts'
import type { StoredVersion, VersionsOfKey } from './stored-version.ts'

export interface ValueStore {
  /** Bytes held for versions, including what is lost between them. */
  readonly allocatedBytes: number
  /** Bytes of the versions that exist. */
  readonly liveBytes: number

  /** Encodes a new version. `value` is copied. */
  add(history: VersionsOfKey, fields: KeyValueFields, sub: number, value: Uint8Array): StoredVersion

  /**
   * Takes over a version that lies encoded in `chunk`, which is never written to again. The versions of one chunk are
   * handed over one after the other.
   */
  adopt(
    history: VersionsOfKey,
    fields: KeyValueFields,
    sub: number,
    chunk: Buffer,
    offset: number,
    length: number,
  ): StoredVersion

  /** The version is compacted away. It stays readable until the end of the current turn; views of it for ever. */
  remove(version: StoredVersion): void

  /** A pass of defragmentation begins, which then offers every version to `defragment`. */
  beginDefragmentation(): void
  /** Moves the bytes of the version if that gives memory back. */
  defragment(version: StoredVersion): void
}
