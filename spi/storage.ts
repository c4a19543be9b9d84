/** KIP-30's storage, "Interface to a (persistent) key value storage": configuration of topics, partition states. */
import type { Data } from './data.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { CreateOptions, ReadOptions, WriteOptions } from './options.ts'
import type { Entry, Version } from './values.ts'

/**
 * Keys are paths (keys.ts), ordered by their UTF-8 bytes. Parents are implied, never created: a key and keys below it
 * may both exist, and neither needs the other.
 *
 * All writes throw INVALID_KEY, INVALID_DATA and TOO_LARGE before anything is sent, FENCED if they carry a fence that
 * is out of date, UNSUPPORTED if they carry one and `capabilities.atomicFencing` is false. A lost reply never shows as
 * KEY_EXISTS or VERSION_MISMATCH of the caller's own write: the backend finds out, or says `effect: 'unknown'`.
 */
export interface Storage extends Lifecycle {
  /** KIP-30: the value, if there is one. Empty text is a value. @throws CoordinationError INVALID_DATA if not UTF-8. */
  fetch(key: string, options?: ReadOptions): Promise<string | undefined>

  /** The value as bytes, with its version. */
  fetchEntry(key: string, options?: ReadOptions): Promise<Entry | undefined>

  /** KIP-30: "throw an exception if such key already exists". @throws CoordinationError KEY_EXISTS */
  put(key: string, data: Data, options?: CreateOptions): Promise<Version>

  /**
   * KIP-30: "throw an exception if such key doesn't exist".
   * @throws CoordinationError KEY_NOT_FOUND; VERSION_MISMATCH if `ifVersion` is given and the key has changed.
   */
  update(key: string, data: Data, options?: WriteOptions): Promise<Version>

  /**
   * @returns false if the key was absent, also with `ifVersion`.
   * @throws CoordinationError VERSION_MISMATCH if `ifVersion` is given and the key has changed.
   */
  delete(key: string, options?: WriteOptions): Promise<boolean>

  /**
   * The names of the immediate children: s is in iff some key is `namespace/s` or begins with `namespace/s/`. An absent
   * namespace has none. The root is `/`.
   */
  list(namespace: string, options?: ReadOptions): Promise<ReadonlySet<string>>

  /**
   * All entries below the namespace, each once, ascending. Read in pages; they show one moment iff
   * `capabilities.snapshotScan`. Leaving the loop frees what it holds.
   */
  scan(namespace: string, options?: ReadOptions): AsyncIterable<Entry>

  /**
   * All of the operations or none, as if one after another: of two on one key the second sees the first.
   * @returns for each operation the version it wrote, undefined for `check` and `delete`.
   * @throws CoordinationError what the first failing operation would throw, with its `index` (a failed `check`:
   * VERSION_MISMATCH); TOO_LARGE for too many; UNSUPPORTED if `capabilities.transactions` is false.
   */
  transact(operations: readonly StorageOp[], options?: CreateOptions): Promise<readonly (Version | undefined)[]>
}

export type StorageOp =
  /** null: the key is absent. */
  | { readonly op: 'check'; readonly key: string; readonly version: Version | null }
  | { readonly op: 'put'; readonly key: string; readonly data: Data }
  | { readonly op: 'update'; readonly key: string; readonly data: Data; readonly ifVersion?: Version }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion?: Version }
