/** The children of a namespace, kept up to date from changes of the keys below it. */
import { childOf, type Version } from '../../spi/index.ts'

type Versioned = { readonly version: Version }

export class KeySet {
  readonly #namespace: string
  /** Of every key below the namespace. */
  readonly #versions = new Map<string, Version>()
  /** How many keys each child is or has below it. */
  readonly #counts = new Map<string, number>()
  #names: ReadonlySet<string> | undefined

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  /** The children; a set of its own, which does not change. */
  get names(): ReadonlySet<string> {
    this.#names ??= new Set(this.#counts.keys())
    return this.#names
  }

  /** Of every key below the namespace. */
  get versions(): ReadonlyMap<string, Version> {
    return this.#versions
  }

  /** @returns whether the set of children is another now. */
  reset(all: ReadonlyMap<string, Versioned>): boolean {
    const gone = [...this.#versions.keys()].filter((key) => !all.has(key))
    return this.apply([...gone.map((key) => [key, undefined] as const), ...all])
  }

  /** @returns whether the set of children is another now. */
  apply(changes: Iterable<readonly [key: string, state: Versioned | undefined]>): boolean {
    // a child that goes and comes within one change has not changed the set
    const before = new Map<string, boolean>()
    for (const [key, state] of changes) {
      const child = childOf(this.#namespace, key)
      if (child === undefined) continue
      const count = this.#counts.get(child) ?? 0
      if (!before.has(child)) before.set(child, count > 0)
      const difference = Number(state !== undefined) - Number(this.#versions.has(key))
      if (state === undefined) this.#versions.delete(key)
      else this.#versions.set(key, state.version)
      if (count + difference > 0) this.#counts.set(child, count + difference)
      else this.#counts.delete(child)
    }
    const changed = [...before].some(([child, was]) => was !== this.#counts.has(child))
    if (changed) this.#names = undefined
    return changed
  }
}
