/**
 * Which server is asked. All clients of a cluster ask the same one, the first that has the data and can be reached: it
 * lets conditional writes to one partition wait for each other, while several servers would get in each other's way
 * and leave the clients without knowing what became of their writes. One that did not answer is asked last for a while.
 */
import {
  type Client,
  type EmptyCallback,
  type ExecutionOptions,
  type Host,
  type HostMap,
  policies,
  types,
} from 'cassandra-driver'

type PlanCallback = (error: Error, iterator: Iterator<Host>) => void

export interface HostsOptions {
  readonly keyspace: string
  /** undefined: that of the server that answers first. */
  readonly localDataCenter: string | undefined
  readonly suspects: Suspects
}

/** Servers that did not answer, by their addresses. */
export class Suspects {
  readonly #until = new Map<string, number>()
  readonly #forMs: number
  readonly #now: () => number

  /** @param forMs how long one is asked last. @param now the time, milliseconds. */
  constructor(forMs: number, now: () => number) {
    this.#forMs = forMs
    this.#now = now
  }

  suspect(address: string): void {
    this.#until.set(address, this.#now() + this.#forMs)
  }

  acquit(address: string): void {
    this.#until.delete(address)
  }

  has(address: string): boolean {
    return (this.#until.get(address) ?? -Infinity) > this.#now()
  }

  /** Whether there are any. */
  get any(): boolean {
    return [...this.#until.keys()].some((address) => this.has(address))
  }
}

export class SameHostFirst extends policies.loadBalancing.LoadBalancingPolicy {
  readonly #options: HostsOptions
  #client: Client | undefined
  #hosts: HostMap | undefined
  #center: string | undefined

  constructor(options: HostsOptions) {
    super()
    this.#options = options
  }

  override init(client: Client, hosts: HostMap, callback: EmptyCallback): void {
    this.#client = client
    this.#hosts = hosts
    // the first is the one that the client has connected to
    this.#center = this.#options.localDataCenter ?? hosts.values()[0]?.datacenter
    ;(callback as () => void)()
  }

  override getDistance(host: Host): types.distance {
    return host.datacenter === this.#center ? types.distance.local : types.distance.ignored
  }

  override newQueryPlan(_keyspace: string, options: ExecutionOptions | null, callback: PlanCallback): void {
    const plan = orderHosts(this.#replicas(options), this.#local(), ({ address }) =>
      this.#options.suspects.has(address),
    )
    ;(callback as unknown as (error: null, plan: Iterator<Host>) => void)(null, plan[Symbol.iterator]())
  }

  override getOptions(): Map<string, object> {
    return new Map()
  }

  get localDataCenter(): string | undefined {
    return this.#center
  }

  #local(): readonly Host[] {
    return (this.#hosts?.values() ?? []).filter((host) => this.getDistance(host) === types.distance.local)
  }

  #replicas(options: ExecutionOptions | null): readonly Host[] {
    const key = options?.getRoutingKey()
    if (!key || this.#client === undefined) return []
    // of a routing key of several parts the library makes one
    const token = Array.isArray(key) ? key[0] : key
    return (token && this.#client.getReplicas(this.#options.keyspace, token)) ?? []
  }
}

/** Replicas first, as they stand in the ring; then others by their address; those under suspicion last. */
export function orderHosts<H extends { readonly address: string }>(
  replicas: readonly H[],
  local: readonly H[],
  isSuspect: (host: H) => boolean,
): readonly H[] {
  const isLocal = new Set(local)
  const first = replicas.filter((host) => isLocal.has(host))
  const others = local.filter((host) => !first.includes(host)).sort((a, b) => (a.address < b.address ? -1 : 1))
  const all = [...first, ...others]
  return [...all.filter((host) => !isSuspect(host)), ...all.filter(isSuspect)]
}
