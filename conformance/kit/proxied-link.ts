/** A link made of proxies, or of nothing where the store has no network. */
import type { Direction, Link } from './link.ts'
import { FINE, type TcpProxy, startProxy, type Weather } from './proxy.ts'

/** @param endpoints of the servers. @param random decides on jitter and resets. */
export async function openLink(endpoints: readonly string[], random: () => number): Promise<Link> {
  if (endpoints.length === 0) return noNetwork()
  return new LinkOfProxies(await Promise.all(endpoints.map((endpoint) => startProxy(endpoint, random))))
}

class LinkOfProxies implements Link {
  readonly endpoints: readonly string[]
  readonly #proxies: readonly TcpProxy[]
  #weather = FINE
  #only: number | undefined

  constructor(proxies: readonly TcpProxy[]) {
    this.#proxies = proxies
    this.endpoints = proxies.map(({ endpoint }) => endpoint)
  }

  get connections(): number {
    return this.#proxies.reduce((sum, { connections }) => sum + connections, 0)
  }

  get opened(): number {
    return this.#proxies.reduce((sum, { opened }) => sum + opened, 0)
  }

  cut(): void {
    this.#set({ refuses: true })
  }

  blackHole(direction: Direction): void {
    this.#set({ blocked: direction })
  }

  delay(ms: number, jitterMs = 0, direction: Direction = 'both'): void {
    this.#set({ delayMs: ms, jitterMs, delayed: direction })
  }

  unreliable(chance: number): void {
    this.#set({ resetChance: chance })
  }

  holdReplies(): void {
    this.#set({ blocked: 'to-client' })
  }

  resetAll(): void {
    for (const proxy of this.#proxies) proxy.reset()
    this.#set({ blocked: undefined })
  }

  only(index: number): void {
    if (this.#proxies[index] === undefined) throw new RangeError(`there is no endpoint ${index}`)
    this.#only = index
    this.#set({})
  }

  heal(): void {
    this.#only = undefined
    this.#set(FINE)
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
  }

  #set(change: Partial<Weather>): void {
    this.#weather = { ...this.#weather, ...change }
    for (const [index, proxy] of this.#proxies.entries()) {
      const isOut = this.#only !== undefined && this.#only !== index
      proxy.set(isOut ? { ...this.#weather, refuses: true } : this.#weather)
    }
  }
}

function noNetwork(): Link {
  const refuse = (): never => {
    throw new Error('the store has no network: a case that disturbs it needs "links"')
  }
  return {
    endpoints: [],
    connections: 0,
    opened: 0,
    cut: refuse,
    blackHole: refuse,
    delay: refuse,
    unreliable: refuse,
    holdReplies: refuse,
    resetAll: refuse,
    only: refuse,
    heal: () => undefined,
    close: async () => undefined,
  }
}
