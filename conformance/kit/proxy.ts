/**
 * A TCP proxy in front of one server, with the faults of a network. It carries bytes in order, and holds what it may
 * not pass on yet: bytes, the end of a stream, and a reset alike. What it holds is bounded – beyond that it stops
 * reading, as a network that is full does.
 */
import { randomInt } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Carrier } from './carrier.ts'
import type { Direction } from './link.ts'
import { ownPorts, type PortRange } from './port-range.ts'
import { resetSocket } from './reset-socket.ts'

/** What holds at this moment for all connections through a proxy. */
export interface Weather {
  readonly refuses: boolean
  readonly blocked: Direction | undefined
  readonly delayMs: number
  readonly jitterMs: number
  readonly delayed: Direction
  /** Of a reset, per piece. */
  readonly resetChance: number
}

export const FINE: Weather = Object.freeze({
  refuses: false,
  blocked: undefined,
  delayMs: 0,
  jitterMs: 0,
  delayed: 'both',
  resetChance: 0,
})

const HOST = '127.0.0.1'
/** Below the ephemeral range: while the port refuses connections, no outgoing connection can be given it. */
const PORTS = ownPorts({ lowest: 22_000, end: 32_000 })
const ATTEMPTS = 50

/** Ports of this process's proxies: while one refuses connections its port is free, but no other proxy's. */
const held = new Set<number>()

/** @param target `host:port`. @param random decides on jitter and resets. */
export async function startProxy(target: string, random: () => number, ports: PortRange = PORTS): Promise<TcpProxy> {
  let cause: unknown
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(ports.lowest, ports.end)
    if (held.has(port)) continue
    const proxy = new TcpProxy(target, port, random)
    try {
      await proxy.listen()
      held.add(port)
      return proxy
    } catch (error) {
      cause = error
    }
  }
  throw new Error(`no free port found from ${ports.lowest} to ${ports.end - 1}`, { cause })
}

export class TcpProxy {
  /** Where clients connect. */
  readonly endpoint: string
  readonly #target: string
  readonly #port: number
  readonly #random: () => number
  readonly #connections = new Set<Connection>()
  #weather = FINE
  #server: Server | undefined
  #closed = false
  #opened = 0

  constructor(target: string, port: number, random: () => number) {
    this.#target = target
    this.#port = port
    this.#random = random
    this.endpoint = `${HOST}:${port}`
  }

  /** How many connections clients have open. */
  get connections(): number {
    return [...this.#connections].filter(({ isInUse }) => isInUse).length
  }

  /** How many clients ever opened. */
  get opened(): number {
    return this.#opened
  }

  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
      const connection = new Connection(client, this.#target, () => this.#weather, this.#random)
      this.#opened++
      this.#connections.add(connection)
      connection.over.then(() => this.#connections.delete(connection), rethrow)
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, HOST, () => {
        server.off('error', reject)
        // refused again before it was there
        if (this.#server !== server) server.close()
        resolve()
      })
    })
  }

  /** From now on; what is under way included. */
  set(weather: Weather): void {
    this.#weather = weather
    if (weather.refuses) {
      this.#server?.close()
      this.#server = undefined
      this.reset()
    } else if (this.#server === undefined && !this.#closed) {
      this.listen().catch(rethrow)
    }
    for (const connection of this.#connections) connection.weatherChanged()
  }

  /** Resets all connections and drops what they held. */
  reset(): void {
    for (const connection of this.#connections) connection.reset()
  }

  async close(): Promise<void> {
    // once: by the next time the port may be another's
    if (!this.#closed) held.delete(this.#port)
    this.#closed = true
    const server = this.#server
    this.#server = undefined
    const closed = new Promise<void>((resolve) => {
      if (server === undefined) resolve()
      else server.close(() => resolve())
    })
    this.reset()
    await closed
  }
}

/** A client's connection and the one to the server that goes with it. */
class Connection {
  /** Resolves when both are gone. */
  readonly over: Promise<void>
  readonly #client: Socket
  readonly #target: string
  readonly #weather: () => Weather
  readonly #random: () => number
  readonly #toServer: Carrier
  readonly #toClient: Carrier
  #server: Socket | undefined
  #end: () => void = () => undefined
  #clientIsGone = false

  constructor(client: Socket, target: string, weather: () => Weather, random: () => number) {
    this.#client = client
    this.#target = target
    this.#weather = weather
    this.#random = random
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
    const rules = (direction: 'to-server' | 'to-client') => ({
      isBlocked: () => concerns(weather().blocked, direction),
      delayMs: () => (concerns(weather().delayed, direction) ? this.#delay() : 0),
      pieceArrived: () => {
        if (weather().resetChance > random()) this.reset()
      },
      reset: () => this.reset(),
    })
    this.#toServer = new Carrier(rules('to-server'))
    this.#toClient = new Carrier(rules('to-client'))
    this.#toServer.from(client)
    this.#toClient.to(client)
    for (const goodbye of ['end', 'close']) {
      client.once(goodbye, () => {
        this.#clientIsGone = true
      })
    }
    this.#open()
  }

  get isInUse(): boolean {
    return !this.#clientIsGone
  }

  weatherChanged(): void {
    this.#open()
    this.#toServer.pump()
    this.#toClient.pump()
  }

  reset(): void {
    this.#toServer.stop()
    this.#toClient.stop()
    resetSocket(this.#client)
    if (this.#server !== undefined) resetSocket(this.#server)
    this.#end()
  }

  /** A server that cannot be reached by the client does not see it connect either. */
  #open(): void {
    if (this.#server !== undefined || this.#client.destroyed || concerns(this.#weather().blocked, 'to-server')) return
    const at = this.#target.lastIndexOf(':')
    const host = this.#target.slice(0, at).replace(/^\[|\]$/g, '')
    const server = connect({ host, port: Number(this.#target.slice(at + 1)), allowHalfOpen: true, noDelay: true })
    this.#server = server
    this.#toClient.from(server)
    this.#toServer.to(server)
    const whenBothAreGone = () => {
      if (this.#client.destroyed && server.destroyed) this.#end()
    }
    this.#client.once('close', whenBothAreGone)
    server.once('close', whenBothAreGone)
  }

  #delay(): number {
    const { delayMs, jitterMs } = this.#weather()
    return jitterMs === 0 ? delayMs : Math.max(0, delayMs + (this.#random() * 2 - 1) * jitterMs)
  }
}

function concerns(fault: Direction | undefined, direction: Direction): boolean {
  return fault === 'both' || fault === direction
}

/** A fault of the suite itself: the runner sees it as an uncaught exception. */
function rethrow(error: unknown): never {
  throw error
}
