/**
 * What a commit must do to the tree, as of one moment, and what must not have changed when it is done. Pure.
 *
 * A multi can only compare the version of a znode, and that begins at 0 again when the znode is created anew. So every
 * creation also bumps a guard that the path hashes to, and whoever relies on what it has read – of a znode, or that
 * there is none – compares the guard too.
 */
import type { KeyChange } from '../shared/driver.ts'
import type { Layout } from './layout.ts'
import { ANY_VERSION, MODE } from './protocol/codes.ts'
import { type Acl, check, create, type Part, remove, setData } from './protocol/multi.ts'
import type { Node } from './protocol/operations.ts'
import { parentOf } from './layout.ts'

/** What was seen at one moment. */
export type Snapshot = ReadonlyMap<string, Node | undefined>

const NOTHING = Buffer.alloc(0)

/** A znode, as the parts so far leave it. */
interface Place {
  exists: boolean
  hasValue: boolean
  children: number
  readonly version: number
}

/** All that must be looked at before a plan can be made. */
export function pathsOf(layout: Layout, changes: readonly KeyChange[]): readonly string[] {
  const paths = changes.map(({ key }) => layout.value(key))
  const all = new Set([...paths, ...paths.flatMap((path) => layout.parentsOf(path))])
  return [...all, ...new Set([...all].map((path) => layout.guardOf(path)))]
}

export class Plan {
  readonly #layout: Layout
  readonly #snapshot: Snapshot
  readonly #acl: Acl
  readonly #places = new Map<string, Place>()
  readonly #compared = new Set<string>()
  readonly #bumped = new Set<string>()
  readonly #checks: Part[] = []
  readonly #edits: Part[] = []

  constructor(layout: Layout, snapshot: Snapshot, acl: Acl) {
    this.#layout = layout
    this.#snapshot = snapshot
    this.#acl = acl
  }

  get parts(): readonly Part[] {
    const guards = [...new Set([...this.#compared, ...this.#bumped])].map((guard) => {
      const version = this.#compared.has(guard) ? this.#versionOf(guard) : ANY_VERSION
      return this.#bumped.has(guard) ? setData(guard, NOTHING, version) : check(guard, version)
    })
    return [...guards, ...this.#checks, ...this.#edits]
  }

  /** That the incarnation which was seen at the path is still there. */
  stays(path: string): void {
    this.#relyOn(path)
    this.#checks.push(check(path, ANY_VERSION))
  }

  change(changes: readonly KeyChange[]): void {
    const all = changes.map((change) => ({ ...change, path: this.#layout.value(change.key) }))
    const sets = all.filter(({ become }) => become instanceof Uint8Array)
    const removals = all.filter(({ become }) => become === 'absent')
    for (const { path, expect } of all.filter(({ become }) => become === 'unchanged')) {
      if (expect !== 'anything') this.#unchanged(path)
    }
    // parents before what is below them, and the other way round
    for (const { path, become, expect } of sets.sort(byDepth)) this.#set(path, become as Uint8Array, expect)
    for (const { path, expect } of removals.sort(byDepth).reverse()) this.#remove(path, expect)
  }

  #set(path: string, value: Uint8Array, expect: KeyChange['expect']): void {
    const place = this.#place(path)
    if (place.exists) this.#edits.push(setData(path, Buffer.from(value), this.#expected(path, expect)))
    else {
      // also without a condition: that it is not there is what was read
      for (const missing of this.#layout.parentsOf(path).filter((parent) => !this.#place(parent).exists)) {
        this.#create(missing, undefined)
      }
      if (expect !== 'anything') this.#relyOn(path)
      this.#create(path, Buffer.from(value))
    }
    this.#place(path).hasValue = true
  }

  #create(path: string, value: Buffer | undefined): void {
    this.#edits.push(create(path, value, this.#acl, MODE.PERSISTENT))
    this.#bumped.add(this.#layout.guardOf(path))
    this.#place(path).exists = true
    this.#place(parentOf(path)).children++
  }

  #remove(path: string, expect: KeyChange['expect']): void {
    const place = this.#place(path)
    if (!place.hasValue) {
      this.#unchanged(path)
      return
    }
    const version = this.#expected(path, expect)
    place.hasValue = false
    if (place.children > 0) {
      this.#edits.push(setData(path, undefined, version))
      return
    }
    this.#edits.push(remove(path, version))
    this.#gone(path)
  }

  /** Parents that were there only for it go too. */
  #gone(path: string): void {
    this.#place(path).exists = false
    const parent = parentOf(path)
    const place = this.#place(parent)
    place.children--
    const isValue = parent.length > this.#layout.values.length
    if (!isValue || !place.exists || place.hasValue || place.children > 0) return
    this.#relyOn(parent)
    this.#edits.push(remove(parent, place.version))
    this.#gone(parent)
  }

  #unchanged(path: string): void {
    this.#relyOn(path)
    // checks come before edits: what counts is what was seen, not what the edits make of it
    const node = this.#snapshot.get(path)
    if (node !== undefined) this.#checks.push(check(path, node.stat.version))
  }

  /** The version to compare with when it is written. */
  #expected(path: string, expect: KeyChange['expect']): number {
    if (expect === 'anything') return ANY_VERSION
    this.#relyOn(path)
    return this.#place(path).version
  }

  #relyOn(path: string): void {
    this.#compared.add(this.#layout.guardOf(path))
  }

  #versionOf(path: string): number {
    return this.#snapshot.get(path)?.stat.version ?? 0
  }

  #place(path: string): Place {
    const known = this.#places.get(path)
    if (known !== undefined) return known
    const node = this.#snapshot.get(path)
    const place = {
      exists: node !== undefined,
      hasValue: node?.data !== undefined,
      children: node?.stat.children ?? 0,
      version: node?.stat.version ?? 0,
    }
    this.#places.set(path, place)
    return place
  }
}

function byDepth(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path.split('/').length - b.path.split('/').length
}
