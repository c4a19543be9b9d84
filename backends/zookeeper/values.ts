/** Values: what stands in a znode, read one by one or in ranges. */
import { compareKeys, type Entry, makeEntry, versionOf } from '../../spi/index.ts'
import type { ReadCall, ScanPage, ScanRange } from '../shared/driver.ts'
import { type Layout, unescape } from './layout.ts'
import { LookSize } from './look-size.ts'
import { getChildren, getData, type Node } from './protocol/operations.ts'
import { found, lookAt, nodeOf, type Reads } from './reads.ts'

/** A page ends when it has so many bytes of values, but has one entry at least. */
const PAGE_BYTES = 4 << 20
/** So many lists of children are asked for before it is known whether there are any. */
const FEW = 16

export class Values {
  readonly #layout: Layout
  readonly #reads: Reads

  constructor(layout: Layout, reads: Reads) {
    this.#layout = layout
    this.#reads = reads
  }

  async read(key: string, call: ReadCall): Promise<Entry | undefined> {
    return this.entry(key, found(await this.#reads.read(getData(this.#layout.value(key)), call)))
  }

  /** undefined: there is no value, though there may be a znode. */
  entry(key: string, node: Node | undefined): Entry | undefined {
    if (node?.data === undefined) return undefined
    return makeEntry(key, node.data, versionOf(node.stat.mzxid.toString()))
  }

  /** Not of one moment. */
  async scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
    const root = commonAncestor(range)
    // the rest is asked of the same server, after this
    const children = found(await this.#reads.read(getChildren(this.#layout.value(root)), call))?.names ?? []
    const entries: Entry[] = []
    let bytes = 0
    const size = new LookSize()
    for await (const entry of this.#below(root, children, range, size, call)) {
      if (entries.length === range.limit || (entries.length > 0 && bytes >= PAGE_BYTES)) {
        return { entries, more: true, at: undefined }
      }
      entries.push(entry)
      bytes += entry.bytes.length
    }
    return { entries, more: false, at: undefined }
  }

  /** All below a key, also what is the value of its children, in the order of the keys. */
  async *#below(
    key: string,
    names: readonly string[],
    range: ScanRange,
    size: LookSize,
    call: ReadCall,
  ): AsyncGenerator<Entry> {
    const stops = stopsOf(key, names, range)
    for (let at = 0; at < stops.length; ) {
      const batch = stops.slice(at, at + Math.min(size.next, range.limit + 1))
      at += batch.length
      const below = batch.filter((stop) => stop.below)
      // of few, all at once with what stands there: a deep path costs one round trip for each of its segments
      const early = below.length <= FEW ? this.#listsOf(below, call) : undefined
      const nodes = await this.#look(batch, size, call)
      const lists =
        early ??
        this.#listsOf(
          below.filter(({ key }) => (nodes.get(key)?.stat.children ?? 0) > 0),
          call,
        )
      for (const stop of batch) {
        const node = nodes.get(stop.key)
        if (!stop.below) {
          const entry = this.entry(stop.key, node)
          if (entry !== undefined) yield entry
        } else {
          yield* this.#below(stop.key, (await lists.get(stop.key)) ?? [], range, size, call)
        }
      }
    }
  }

  /** What is below them, asked for together. */
  #listsOf(stops: readonly Stop[], call: ReadCall): ReadonlyMap<string, Promise<readonly string[]>> {
    return new Map(
      stops.map(({ key }) => {
        const list = this.#reads.ask(getChildren(this.#layout.value(key)), call)
        const names = list.then((answer) => found(answer)?.names ?? [])
        // who leaves the walk early does not wait for the rest
        names.catch(() => undefined)
        return [key, names]
      }),
    )
  }

  async #look(stops: readonly Stop[], size: LookSize, call: ReadCall): Promise<ReadonlyMap<string, Node | undefined>> {
    const keys = [...new Set(stops.map(({ key }) => key))]
    const seen = found(await this.#reads.ask(lookAt(keys.map((key) => this.#layout.value(key))), call)) ?? []
    const nodes = seen.map(nodeOf)
    size.saw(nodes.map((node) => node?.data?.length ?? 0))
    return new Map(keys.map((key, index) => [key, nodes[index]]))
  }
}

/** A place on the way through the tree: the value of a key, or all that is below it. */
export interface Stop {
  readonly key: string
  readonly below: boolean
}

/**
 * The stops among the children of a key that are within the range, in the order of what is found there. `/a/x` comes
 * after `/a!`, for '/' is a character like others: a value and what is below it need not follow each other.
 */
export function stopsOf(
  key: string,
  names: readonly string[],
  { from, to }: Pick<ScanRange, 'from' | 'to'>,
): readonly Stop[] {
  const prefix = key === '/' ? '/' : `${key}/`
  const stops: (Stop & { readonly first: string })[] = []
  for (const name of names) {
    const child = prefix + unescape(name)
    if (compareKeys(child, from) >= 0 && compareKeys(child, to) < 0)
      stops.push({ key: child, below: false, first: child })
    // all that begins with `child/` comes before `child0`
    if (compareKeys(`${child}0`, from) > 0 && compareKeys(`${child}/`, to) < 0) {
      stops.push({ key: child, below: true, first: `${child}/` })
    }
  }
  return stops.sort((a, b) => compareKeys(a.first, b.first))
}

/** The nearest key that everything in the range is below. */
export function commonAncestor({ from, to }: Pick<ScanRange, 'from' | 'to'>): string {
  const last = from.lastIndexOf('/')
  for (let end = last; end > 0; end = from.lastIndexOf('/', end - 1)) {
    const key = from.slice(0, end)
    // up to `key0` all begins with `key/`
    if (compareKeys(to, `${key}0`) <= 0) return key
  }
  return '/'
}
