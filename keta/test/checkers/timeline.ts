/** The versions of all keys, built from the changes of each revision in ascending order, to be read at any revision. */
import type { KeyRange, KeyValue } from './history.ts'

export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly type: 'delete'; readonly key: string }

/** The state at one revision. */
export interface View {
  get(key: string): KeyValue | undefined
  /** In the order of the keys. */
  range(range: KeyRange): readonly KeyValue[]
}

interface Version {
  readonly revision: number
  /** undefined: deleted. */
  readonly kv: KeyValue | undefined
}

export class Timeline {
  readonly #changes = new Map<number, readonly Change[]>()
  readonly #versions = new Map<string, Version[]>()
  /** Sorted. */
  readonly #keys: string[] = []
  readonly #revisions: number[] = []

  /** Ascending. */
  get revisions(): readonly number[] {
    return this.#revisions
  }

  /** Of the last change; 1 of an empty store. */
  get revision(): number {
    return this.#revisions.at(-1) ?? 1
  }

  /** @throws RangeError unless `revision` is beyond all before. */
  append(revision: number, changes: readonly Change[]): void {
    if (revision <= this.revision) throw new RangeError(`revision ${revision} after ${this.revision}`)
    this.#revisions.push(revision)
    this.#changes.set(revision, changes)
    for (const change of changes) this.#apply(revision, change)
  }

  changesAt(revision: number): readonly Change[] {
    return this.#changes.get(revision) ?? []
  }

  at(revision: number): View {
    return {
      get: (key) => this.#get(key, revision),
      range: (range) => this.#range(range, revision),
    }
  }

  #apply(revision: number, change: Change): void {
    let versions = this.#versions.get(change.key)
    if (versions === undefined) {
      versions = []
      this.#versions.set(change.key, versions)
      this.#keys.splice(firstAtLeast(this.#keys, change.key), 0, change.key)
    }
    const kv = change.type === 'put' ? nextVersion(versions.at(-1)?.kv, change, revision) : undefined
    versions.push({ revision, kv })
  }

  #get(key: string, revision: number): KeyValue | undefined {
    const versions = this.#versions.get(key)
    if (versions === undefined) return undefined
    let low = 0
    let high = versions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((versions[middle]?.revision ?? Infinity) <= revision) low = middle + 1
      else high = middle
    }
    return versions[low - 1]?.kv
  }

  #range({ key, rangeEnd }: KeyRange, revision: number): readonly KeyValue[] {
    if (rangeEnd === undefined) {
      const kv = this.#get(key, revision)
      return kv === undefined ? [] : [kv]
    }
    const found: KeyValue[] = []
    const end = rangeEnd === '\0' ? this.#keys.length : firstAtLeast(this.#keys, rangeEnd)
    for (let index = firstAtLeast(this.#keys, key); index < end; index++) {
      const kv = this.#get(this.#keys[index] ?? '', revision)
      if (kv !== undefined) found.push(kv)
    }
    return found
  }
}

export function nextVersion(
  before: KeyValue | undefined,
  { key, value, lease }: { readonly key: string; readonly value: string; readonly lease?: string },
  revision: number,
): KeyValue {
  return {
    key,
    value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
    ...(lease === undefined ? {} : { lease }),
  }
}

export function isInRange(name: string, { key, rangeEnd }: KeyRange): boolean {
  if (rangeEnd === undefined) return name === key
  return name >= key && (rangeEnd === '\0' || name < rangeEnd)
}

/** Whether every key of the inner range is one of the outer. */
export function isWithin(inner: KeyRange, outer: KeyRange): boolean {
  if (inner.rangeEnd === undefined) return isInRange(inner.key, outer)
  if (outer.rangeEnd === undefined || inner.key < outer.key) return false
  return outer.rangeEnd === '\0' || (inner.rangeEnd !== '\0' && inner.rangeEnd <= outer.rangeEnd)
}

function firstAtLeast(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
