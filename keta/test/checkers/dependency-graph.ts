/**
 * Transactions as nodes, reasons why one came before another as edges, and the cycles among them, named as Adya and
 * Elle name them.
 */

/** Bits, so that sets of types are numbers. */
export const EDGE = { ww: 1, wr: 2, rw: 4, process: 8, realtime: 16 } as const
export type EdgeType = keyof typeof EDGE

export interface Edge {
  readonly from: number
  readonly to: number
  readonly type: EdgeType
  /** Why, for a person. */
  readonly why: string
}

export interface Cycle {
  /** As G0, G1c, G-single, G2, with -process or -realtime if it needs such edges. */
  readonly name: string
  /** The first begins where the last ends. */
  readonly edges: readonly Edge[]
}

/** A class of cycles: one edge of the type `pivot`, from whose end back to its start lead edges of the types `rest`. */
interface CycleClass {
  readonly name: string
  readonly pivot: number
  readonly rest: number
}

const DEPENDENCIES: readonly CycleClass[] = [
  { name: 'G0', pivot: EDGE.ww, rest: EDGE.ww },
  { name: 'G1c', pivot: EDGE.wr, rest: EDGE.ww | EDGE.wr },
  { name: 'G-single', pivot: EDGE.rw, rest: EDGE.ww | EDGE.wr },
  { name: 'G2', pivot: EDGE.rw, rest: EDGE.ww | EDGE.wr | EDGE.rw },
]

/** In the order in which they are looked for: the plainest first. */
const CLASSES: readonly CycleClass[] = [
  ...DEPENDENCIES,
  ...extended('-process', EDGE.process),
  ...extended('-realtime', EDGE.process | EDGE.realtime),
]

/** Edges of one component from which a shorter cycle is looked for … */
const PIVOTS_MAX = 100
/** … and from which one of its class is; what then remains is in a cycle of a later class. */
const PIVOTS_IN_VAIN_MAX = 1000

export class DependencyGraph {
  readonly #out: Edge[][]

  constructor(nodes: number) {
    this.#out = Array.from({ length: nodes }, () => [])
  }

  /** An edge from a node to itself is none. */
  add(edge: Edge): void {
    if (edge.from !== edge.to) this.#out[edge.from]?.push(edge)
  }

  *edges(): Generator<Edge> {
    for (const edges of this.#out) yield* edges
  }

  /** Short cycles, no two of which have a node in common; none only if there is none. */
  cycles(): readonly Cycle[] {
    const all = this.#components(this.#out.keys(), 31)
    const found: Cycle[] = []
    const used = new Set<number>()
    for (const { name, pivot, rest } of all.length === 0 ? [] : CLASSES) {
      const candidates = all.flat().filter((node) => !used.has(node))
      for (const component of this.#components(candidates, pivot | rest)) {
        const edges = this.#cycle(new Set(component), pivot, rest)
        if (edges === undefined) continue
        found.push({ name, edges })
        for (const { from } of edges) used.add(from)
      }
    }
    return found
  }

  /** Tarjan's strongly connected components of more than one node, without recursion. */
  #components(nodes: Iterable<number>, types: number): number[][] {
    const among = new Set(nodes)
    const index = new Map<number, number>()
    const low = new Map<number, number>()
    const open = new Set<number>()
    const stack: number[] = []
    const components: number[][] = []
    const enter = (node: number): { readonly node: number; next: number } => {
      index.set(node, index.size)
      low.set(node, index.size - 1)
      stack.push(node)
      open.add(node)
      return { node, next: 0 }
    }
    const lower = (node: number, by: number): unknown => low.set(node, Math.min(low.get(node) ?? by, by))
    for (const root of among) {
      const path = index.has(root) ? [] : [enter(root)]
      for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
        const edge = this.#out[frame.node]?.[frame.next++]
        if (edge !== undefined) {
          if (!(EDGE[edge.type] & types) || !among.has(edge.to)) continue
          const reached = index.get(edge.to)
          if (reached === undefined) path.push(enter(edge.to))
          else if (open.has(edge.to)) lower(frame.node, reached)
          continue
        }
        path.pop()
        const lowest = low.get(frame.node) ?? 0
        const parent = path.at(-1)
        if (parent !== undefined) lower(parent.node, lowest)
        if (lowest !== index.get(frame.node)) continue
        const component = stack.splice(stack.lastIndexOf(frame.node))
        for (const node of component) open.delete(node)
        if (component.length > 1) components.push(component)
      }
    }
    return components
  }

  /** The shortest that the first pivots of a component lead to. */
  #cycle(among: ReadonlySet<number>, pivot: number, rest: number): readonly Edge[] | undefined {
    let shortest: readonly Edge[] | undefined
    let tried = 0
    for (const node of among) {
      for (const edge of this.#out[node] ?? []) {
        if (!(EDGE[edge.type] & pivot) || !among.has(edge.to)) continue
        const back = this.#path(edge.to, edge.from, among, rest)
        if (back !== undefined && back.length + 1 < (shortest?.length ?? Infinity)) shortest = [edge, ...back]
        if (++tried >= (shortest === undefined ? PIVOTS_IN_VAIN_MAX : PIVOTS_MAX)) return shortest
      }
    }
    return shortest
  }

  /** Breadth first. */
  #path(from: number, to: number, among: ReadonlySet<number>, types: number): readonly Edge[] | undefined {
    const by = new Map<number, Edge | undefined>([[from, undefined]])
    const queue = [from]
    for (const node of queue) {
      for (const edge of this.#out[node] ?? []) {
        if (!(EDGE[edge.type] & types) || !among.has(edge.to) || by.has(edge.to)) continue
        by.set(edge.to, edge)
        if (edge.to === to) return backtrack(by, to)
        queue.push(edge.to)
      }
    }
    return undefined
  }
}

function backtrack(by: ReadonlyMap<number, Edge | undefined>, to: number): readonly Edge[] {
  const edges: Edge[] = []
  for (let edge = by.get(to); edge !== undefined; edge = by.get(edge.from)) edges.unshift(edge)
  return edges
}

function extended(suffix: string, types: number): readonly CycleClass[] {
  return DEPENDENCIES.map(({ name, pivot, rest }) => ({ name: name + suffix, pivot, rest: rest | types }))
}
