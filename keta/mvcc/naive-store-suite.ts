/**
 * The store as simply as it can be said: one list of all versions ever written, read from end to end each time. What
 * the model-based test compares the real store with. It shares no code with it.
 */
import { EMPTY_KEY, type Key } from '../bytes/key.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'

export interface NaiveVersion {
  readonly key: Key
  readonly modRevision: number
  readonly sub: number
  readonly createRevision: number
  readonly version: number
  readonly value: string
  readonly lease: bigint
}

export interface NaiveEvent {
  readonly version: NaiveVersion
  readonly previous: NaiveVersion | undefined
}

export type NaiveChange =
  | { readonly kind: 'put'; readonly key: Key; readonly value: string; readonly lease: bigint }
  | { readonly kind: 'delete'; readonly start: Key; readonly end: Key | null }

export class NaiveStore {
  revision = 1
  compactRevision = -1
  readonly #all: NaiveVersion[] = []

  /** All changes as one request. Returns the versions that it wrote. */
  write(changes: readonly NaiveChange[]): readonly NaiveVersion[] {
    const modRevision = this.revision + 1
    const written: NaiveVersion[] = []
    const add = (version: Omit<NaiveVersion, 'modRevision' | 'sub'>): void => {
      const complete = { ...version, modRevision, sub: written.length }
      written.push(complete)
      this.#all.push(complete)
    }
    for (const change of changes) {
      if (change.kind === 'put') {
        const { key, value, lease } = change
        const old = this.get(key, modRevision)
        add({ key, value, lease, createRevision: old?.createRevision ?? modRevision, version: (old?.version ?? 0) + 1 })
      } else {
        for (const { key } of this.range(change.start, change.end, modRevision)) {
          add({ key, value: '', lease: 0n, createRevision: 0, version: 0 })
        }
      }
    }
    if (written.length > 0) this.revision = modRevision
    return written
  }

  get(key: Key, atRevision: number): NaiveVersion | undefined {
    const newest = this.#newest(key, atRevision)
    return newest?.version === 0 ? undefined : newest
  }

  /** The live versions of [start, end) in key order. */
  range(start: Key, end: Key | null, atRevision: number): readonly NaiveVersion[] {
    const keys = [...new Set(this.#all.map(({ key }) => key))].filter(
      (key) => key >= start && (end === null || key < end),
    )
    return keys.sort().flatMap((key) => this.get(key, atRevision) ?? [])
  }

  compact(revision: number): void {
    this.compactRevision = revision
  }

  /** What the compaction has left: what a read or a watch from the compacted revision on can be given. */
  surviving(): readonly NaiveVersion[] {
    const compactRevision = this.compactRevision
    const alive = new Set(this.range(EMPTY_KEY, null, compactRevision))
    return this.#all.filter((version) => {
      if (version.modRevision > compactRevision || alive.has(version)) return true
      return version.modRevision === compactRevision && this.#newest(version.key, compactRevision) === version
    })
  }

  /** Events from `fromRevision` on, which is not compacted. */
  events(fromRevision: number): readonly NaiveEvent[] {
    return this.surviving()
      .filter(({ modRevision }) => modRevision >= fromRevision)
      .map((version) => ({ version, previous: this.#previousOf(version) }))
  }

  #previousOf({ key, modRevision, createRevision }: NaiveVersion): NaiveVersion | undefined {
    if (createRevision === modRevision || modRevision - 1 < this.compactRevision) return undefined
    return this.get(key, modRevision - 1)
  }

  #newest(key: Key, atRevision: number): NaiveVersion | undefined {
    return this.#all.filter((version) => version.key === key && version.modRevision <= atRevision).at(-1)
  }
}

/** The bytes of a version's KeyValue. */
export function encodedNaively(version: NaiveVersion): Buffer {
  const writer = new ProtoWriter()
  writer.keyField(1, version.key)
  writer.intField(2, version.createRevision)
  writer.intField(3, version.modRevision)
  writer.intField(4, version.version)
  writer.bytesField(5, Buffer.from(version.value))
  writer.bigField(6, version.lease)
  return writer.finish()
}
