/** Builds a store over versions whose bytes lie where they are to stay: of each it is told all but the value. */
import { EMPTY_KEY } from '../bytes/key.ts'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import type { KeyHistory } from './key-index.ts'
import { keyValueLength } from './kv-encoding.ts'
import { checkVersion, type ParsedKeyValue } from './kv-parsing.ts'
import { StoreParts } from './parts.ts'
import type { Place } from './place.ts'
import { isBefore } from './revision-sequence.ts'
import { dropOldest } from './scrub.ts'
import { MvccStore } from './store.ts'
import { StoredVersion } from './stored-version.ts'
import type { ValueStore } from './value-store.ts'

export class StoreRestorer {
  readonly #parts: StoreParts
  readonly #place: Place
  #last: StoredVersion | undefined

  /** @param place where the versions lie, as long as `values` does not move them. */
  constructor(values: ValueStore, place: Place, revision: number, compactRevision: number) {
    this.#parts = new StoreParts(values)
    this.#parts.revision = revision
    this.#parts.compactRevision = compactRevision
    this.#place = place
  }

  /** The next version in the order of revisions. @throws MalformedMessage if it cannot be one. */
  add(fields: ParsedKeyValue, sub: number): StoredVersion {
    const { index, sequence, revision } = this.#parts
    const length = keyValueLength(fields, fields.valueLength)
    checkVersion(fields, length, sub, revision)
    if (this.#last !== undefined && !isBefore(this.#last, fields.modRevision, sub)) {
      throw new MalformedMessage(`version ${fields.modRevision}.${sub} is out of order`)
    }
    const history = index.getOrInsert(fields.key)
    const version = new StoredVersion(history, fields, sub, this.#place, 0, length)
    history.append(version)
    sequence.append(version)
    this.#last = version
    return version
  }

  /** All versions have been added. The restorer must not be used afterwards. */
  finish(): MvccStore {
    const { index, compactRevision } = this.#parts
    // A compaction whose scrub was not complete: a new scrub takes up what comes after, not what lies behind.
    const dead: KeyHistory[] = []
    index.scan(EMPTY_KEY, null, (history) => {
      if (history.deadCount(compactRevision) > 0) dead.push(history)
      if (history.alive !== undefined) this.#parts.keyCount++
      return true
    })
    for (const history of dead) dropOldest(this.#parts, history, history.deadCount(compactRevision))
    return new MvccStore(this.#parts)
  }
}
