/** Who reaches whom at the moment. */

/**
 * How a node reaches the log. `mute`: its requests arrive, the answers are lost. `isolated`: it talks to a broker that
 * is cut off from the others, takes itself for the leader, and answers from the past.
 */
export type LogLink = 'up' | 'cut' | 'mute' | 'isolated'

export class Network {
  readonly #log = new Map<number, LogLink>()
  readonly #withoutGroup = new Set<number>()
  readonly #cutEdges = new Set<string>()

  logLink(node: number): LogLink {
    return this.#log.get(node) ?? 'up'
  }

  setLogLink(node: number, link: LogLink): void {
    this.#log.set(node, link)
  }

  reachesGroup(node: number): boolean {
    return !this.#withoutGroup.has(node)
  }

  setGroupLink(node: number, isUp: boolean): void {
    if (isUp) this.#withoutGroup.delete(node)
    else this.#withoutGroup.add(node)
  }

  /** Whether messages of one node arrive at the other. */
  reaches(from: number, to: number): boolean {
    return !this.#cutEdges.has(edge(from, to))
  }

  setEdge(from: number, to: number, isUp: boolean): void {
    if (isUp) this.#cutEdges.delete(edge(from, to))
    else this.#cutEdges.add(edge(from, to))
  }

  heal(): void {
    this.#log.clear()
    this.#withoutGroup.clear()
    this.#cutEdges.clear()
  }
}

function edge(from: number, to: number): string {
  return `${from}>${to}`
}
