/**
 * Clients that write all the time, through whatever happens to the servers, and note when each write was acknowledged
 * or how it failed. They do not wait for one answer before the next write, so that a gap is the servers' and not that
 * of a client that hangs. After a failure a client goes on at the next server, as etcd's own client does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServiceError } from '@grpc/grpc-js'
import { KV } from '../keta/proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from '../keta/test/api-client.fixture.ts'
import { outcomeOf } from '../keta/test/faults/outcome.ts'

/**
 * How a write failed. unsent: the client itself had no connection; refused: a server said that it has had no effect;
 * unknown: it may have had one.
 */
export type Failure = 'unsent' | 'refused' | 'unknown'

/** One answer, or the lack of one. */
export interface Answer {
  /** Milliseconds of `performance.now()`. */
  readonly at: number
  readonly endpoint: string
  readonly client: number
  readonly failure?: Failure
  readonly error?: string
}

export const CLIENTS_PER_SERVER = 3
/** Between the writes of one client. */
export const INTERVAL_MS = 25
const DEADLINE_MS = 5_000
const RECONNECT_MS = 50
const VALUE = Buffer.alloc(256, 'v')

export class Writers {
  readonly answers: Answer[] = []
  readonly #endpoints: readonly string[]
  readonly #running: readonly Promise<void>[]
  #ending = false

  constructor(endpoints: readonly string[]) {
    this.#endpoints = endpoints
    const clients = Array.from({ length: endpoints.length * CLIENTS_PER_SERVER }, (_, client) => client)
    this.#running = clients.map((client) => this.#run(client))
  }

  /** Resolves when the last answer has come. */
  async stop(): Promise<void> {
    this.#ending = true
    await Promise.all(this.#running)
  }

  async #run(client: number): Promise<void> {
    const connections = this.#endpoints.map(
      (endpoint) => new ApiClient(endpoint, { deadlineMs: DEADLINE_MS, reconnectMs: RECONNECT_MS }),
    )
    const key = Buffer.from(`client-${client}`)
    const underWay = new Set<Promise<void>>()
    let place = client % connections.length
    // Clients that write at the same moment would measure as one.
    await delay((client * INTERVAL_MS) / (connections.length * CLIENTS_PER_SERVER))
    while (!this.#ending) {
      const home = place
      const write = this.#write(connections[home], key, { client, endpoint: this.#endpoints[home] ?? '' }).then(
        (acknowledged) => {
          underWay.delete(write)
          if (!acknowledged && place === home) place = (home + 1) % connections.length
        },
      )
      underWay.add(write)
      await delay(INTERVAL_MS)
    }
    await Promise.all(underWay)
    for (const connection of connections) connection.close()
  }

  async #write(
    connection: ApiClient | undefined,
    key: Buffer,
    who: Pick<Answer, 'client' | 'endpoint'>,
  ): Promise<boolean> {
    try {
      await connection?.call(KV.method.put, { key, value: VALUE })
      this.answers.push({ at: performance.now(), ...who })
      return true
    } catch (error) {
      this.answers.push({ at: performance.now(), ...who, ...failureOf(error as ServiceError) })
      return false
    }
  }
}

function failureOf(error: ServiceError): { readonly failure: Failure; readonly error: string } {
  const { outcome, error: text = '' } = outcomeOf(error)
  if (outcome === 'info') return { failure: 'unknown', error: text }
  return { failure: text.includes('No connection established') ? 'unsent' : 'refused', error: text }
}
