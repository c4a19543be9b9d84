/**
 * All keys that have any version, in key order, and for each of them its versions from the oldest to the newest.
 *
 * A key's versions fall into *generations*: a put on a key that is not alive begins one, a deletion ends it with a
 * tombstone. Say that 'lamp' is put at revisions 3 and 4, deleted at 6, put again at 8, and put and then deleted by one
 * transaction at 9 (sub 0 and 1):
 *
 *     versions          3.0   4.0   6.0†   8.0   9.0   9.1†      († tombstone)
 *     createRevision     3     3     –      8     8     –
 *     version            1     2     0      1     2     0
 *
 * A read at revision r takes the newest version ≤ r, and finds nothing if that is a tombstone:
 *
 *     r                  2     3    4, 5   6, 7    8    9, 10 …
 *     sees               –    3.0   4.0     –     8.0     –
 *
 * A compaction at C makes every version unreachable that no read at C or later, and no watch from C on, can see. So
 * of the versions ≤ C the newest stays; but if it is a tombstone and older than C, it goes too. The dead are always
 * the oldest:
 *
 *     compact at         what is left
 *     3                  3.0   4.0   6.0†   8.0   9.0   9.1†
 *     5                        4.0   6.0†   8.0   9.0   9.1†
 *     6                              6.0†   8.0   9.0   9.1†     a watch from 6 on is still told of the deletion
 *     7                                     8.0   9.0   9.1†
 *     9                                                 9.1†
 *     10                 nothing: the key leaves the index
 */
import type { Key } from '../bytes/key.ts'
import { OrderedMap } from '../bytes/ordered-map.ts'
import type { StoredVersion, VersionsOfKey } from './stored-version.ts'

/** Most keys have one version: they share this, and need no array of their own. */
const NONE: StoredVersion[] = []

/** Up to here the array of a key's older versions is kept exactly as long as needed; then it grows with slack. */
const EXACT_GROWTH = 16

/** The versions of one key. */
export class KeyHistory implements VersionsOfKey {
  readonly key: Key
  /** Undefined only before the first version is appended and after the last is dropped. */
  #newest: StoredVersion | undefined = undefined
  /** All but the newest, oldest first. */
  #older = NONE

  constructor(key: Key) {
    this.key = key
  }

  get newest(): StoredVersion | undefined {
    return this.#newest
  }

  /** The newest version, if the key is alive now. */
  get alive(): StoredVersion | undefined {
    const newest = this.#newest
    return newest === undefined || newest.isTombstone ? undefined : newest
  }

  get length(): number {
    return this.#newest === undefined ? 0 : this.#older.length + 1
  }

  /** The version at a position, counted from the oldest. */
  version(position: number): StoredVersion | undefined {
    return position === this.#older.length ? this.#newest : this.#older[position]
  }

  append(version: StoredVersion): void {
    const newest = this.#newest
    if (newest !== undefined) {
      assertNewer(version, newest)
      if (this.#older === NONE) this.#older = [newest]
      else if (this.#older.length < EXACT_GROWTH) this.#older = this.#older.concat(newest)
      else this.#older.push(newest)
    }
    this.#newest = version
  }

  at(revision: number): StoredVersion | undefined {
    const newest = this.#newest
    if (newest === undefined || newest.modRevision <= revision) return newest
    return this.#older[countUpTo(this.#older, revision) - 1]
  }

  /** The version that a read at `revision` finds. */
  liveAt(revision: number): StoredVersion | undefined {
    const version = this.at(revision)
    return version === undefined || version.isTombstone ? undefined : version
  }

  /** How many versions, counted from the oldest, do not survive a compaction at `compactRevision`. */
  deadCount(compactRevision: number): number {
    const newest = this.#newest
    if (newest === undefined) return 0
    const upTo = newest.modRevision <= compactRevision ? this.length : countUpTo(this.#older, compactRevision)
    const last = this.version(upTo - 1)
    if (upTo === 0 || last === undefined) return 0
    return last.isTombstone && last.modRevision < compactRevision ? upTo : upTo - 1
  }

  /** Removes the `count` oldest versions and returns them. */
  dropOldest(count: number): readonly StoredVersion[] {
    const older = this.#older
    if (count > this.length) throw new Error(`cannot drop ${count} of ${this.length} versions`)
    if (count > older.length && this.#newest !== undefined) {
      const all = older.concat(this.#newest)
      this.#newest = undefined
      this.#older = NONE
      return all
    }
    const dropped = older.slice(0, count)
    this.#older = count === older.length ? NONE : older.slice(count)
    return dropped
  }
}

export class KeyIndex {
  readonly #histories = new OrderedMap<KeyHistory>()

  /** Number of keys that have any version, alive or not. */
  get size(): number {
    return this.#histories.size
  }

  get(key: Key): KeyHistory | undefined {
    return this.#histories.get(key)
  }

  /** The history of `key`, new and empty if there was none: then the caller must append a version. */
  getOrInsert(key: Key): KeyHistory {
    return this.#histories.getOrInsert(key, newHistory)
  }

  delete(key: Key): void {
    this.#histories.delete(key)
  }

  /** Visits the keys of [start, end) in order until `visit` returns false; `visit` must add and remove no keys. */
  scan(start: Key, end: Key | null, visit: (history: KeyHistory) => boolean): void {
    this.#histories.scan(start, end, visit)
  }
}

function newHistory(key: Key): KeyHistory {
  return new KeyHistory(key)
}

/** How many of `versions` (oldest first) have modRevision ≤ `revision`. */
function countUpTo(versions: readonly StoredVersion[], revision: number): number {
  let low = 0
  let high = versions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((versions[middle] as StoredVersion).modRevision <= revision) low = middle + 1
    else high = middle
  }
  return low
}

function assertNewer(version: StoredVersion, newest: StoredVersion): void {
  if (version.modRevision > newest.modRevision) return
  if (version.modRevision === newest.modRevision && version.sub > newest.sub) return
  const positions = `${version.modRevision}.${version.sub} after ${newest.modRevision}.${newest.sub}`
  throw new Error(`versions of a key out of order: ${positions}`)
}
