/** For tests of the hub: a store that keeps every commit in a list, and makers of requests. As simple as it can be. */
import type { Key } from '../bytes/key.ts'
import type { Commit, Event, History, Version } from '../mvcc/kv.ts'
import type { WatchRequest } from './watch.ts'

/** A write of one key: `-name` deletes it (nothing happens if it is not alive). */
export type Change = string

/** What the tests of the hub need of a store. */
export interface WritableHistory extends History {
  /** All changes as one request; undefined if nothing changed. */
  write(...changes: readonly Change[]): Commit | undefined
  compact(revision: number): void
}

export class NaiveStore implements WritableHistory {
  revision = 1
  compactRevision = -1
  /** Calls of `commits`. */
  reads = 0
  readonly #commits: Commit[] = []
  readonly #alive = new Map<Key, Version>()

  write(...changes: readonly Change[]): Commit | undefined {
    const events: Event[] = []
    for (const change of changes) {
      const isDelete = change.startsWith('-')
      const key = (isDelete ? change.slice(1) : change) as Key
      const previous = this.#alive.get(key)
      if (isDelete && previous === undefined) continue
      const version = versionAfter(previous, key, isDelete, this.revision + 1, events.length)
      if (isDelete) this.#alive.delete(key)
      else this.#alive.set(key, version)
      events.push({ version, previous })
    }
    if (events.length === 0) return undefined
    this.revision += 1
    const commit = { revision: this.revision, events }
    this.#commits.push(commit)
    return commit
  }

  compact(revision: number): void {
    this.compactRevision = revision
  }

  commits(fromRevision: number, maxRevisions: number, maxBytes: number): readonly Commit[] {
    this.reads += 1
    if (fromRevision < this.compactRevision) throw new Error(`${fromRevision} < ${this.compactRevision}`)
    const read: Commit[] = []
    let bytes = 0
    for (const commit of this.#commits) {
      if (commit.revision < fromRevision) continue
      if (read.length === maxRevisions || bytes > maxBytes) break
      const events = commit.events.map((event) => this.#afterCompaction(event))
      read.push({ revision: commit.revision, events })
      for (const { version } of events) bytes += version.encodedLength
    }
    return read
  }

  #afterCompaction(event: Event): Event {
    const { version, previous } = event
    const gone = previous !== undefined && version.modRevision <= this.compactRevision
    return gone ? { version, previous: undefined } : event
  }
}

export const ENCODED_LENGTH = 100

function versionAfter(
  previous: Version | undefined,
  key: Key,
  isDelete: boolean,
  revision: number,
  sub: number,
): Version {
  return {
    key,
    modRevision: revision,
    sub,
    createRevision: isDelete ? 0 : (previous?.createRevision ?? revision),
    version: isDelete ? 0 : (previous?.version ?? 0) + 1,
    lease: 0n,
    encodedLength: ENCODED_LENGTH,
    encoded: () => new Uint8Array(ENCODED_LENGTH),
    value: () => new Uint8Array(0),
  }
}

/** A request to watch `key` from now on, with what `wish` changes of it. */
export function watching(
  key: string,
  wish: Partial<Omit<WatchRequest, 'key' | 'rangeEnd'>> & { rangeEnd?: string } = {},
): WatchRequest {
  return {
    startRevision: 0,
    progressNotify: false,
    noPut: false,
    noDelete: false,
    prevKv: false,
    watchId: 0n,
    fragment: false,
    ...wish,
    key: key as Key,
    rangeEnd: (wish.rangeEnd ?? '') as Key,
  }
}
