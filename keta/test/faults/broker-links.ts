/**
 * The ways from each node to each broker, to be disturbed one by one. All nodes are told the same address of a broker;
 * behind it they are told apart by the client id in the first request of a connection, and each is led through a proxy
 * of its own.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type TcpProxy, FINE, startProxy, type Weather } from '../../../conformance/kit/proxy.ts'
import { resetSocket } from '../../../conformance/kit/reset-socket.ts'
import { freePort } from '../../../test-servers/ports.ts'

const HOST = '127.0.0.1'
/** Of a request: size, api, version, correlation; then the client id with its length before it. */
const CLIENT_ID_AT = 14

export class BrokerLinks {
  /** [node][broker] */
  readonly #proxies: TcpProxy[][]
  readonly #doors: Server[] = []
  readonly #names: readonly string[]
  readonly #random: () => number

  /** @param names of the nodes, as they end the client ids. @param random decides on jitter and resets. */
  constructor(names: readonly string[], random: () => number) {
    this.#names = names
    this.#random = random
    this.#proxies = names.map(() => [])
  }

  /** What clients are to be told of a broker. */
  async open(broker: number, endpoint: string): Promise<string> {
    for (const row of this.#proxies) row[broker] = await startProxy(endpoint, this.#random)
    const door = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#admit(socket, broker, endpoint)
    })
    const port = await freePort()
    await listen(door, port)
    this.#doors.push(door)
    return `${HOST}:${port}`
  }

  /** @param broker all if undefined */
  set(weather: Partial<Weather>, node: number, broker?: number): void {
    for (const [index, proxy] of (this.#proxies[node] ?? []).entries()) {
      if (broker === undefined || broker === index) proxy.set({ ...FINE, ...weather })
    }
  }

  heal(): void {
    for (const proxy of this.#proxies.flat()) proxy.set(FINE)
  }

  async close(): Promise<void> {
    for (const door of this.#doors) door.close()
    await Promise.all(this.#proxies.flat().map((proxy) => proxy.close()))
  }

  #admit(client: Socket, broker: number, endpoint: string): void {
    let received = Buffer.alloc(0)
    client.on('error', () => undefined)
    const look = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk])
      const clientId = clientIdIn(received)
      if (clientId === undefined) return
      client.off('data', look)
      client.pause()
      const node = this.#names.findIndex((name) => clientId.endsWith(name))
      const target = this.#proxies[node]?.[broker]?.endpoint ?? endpoint
      const server = connect({ host: HOST, port: Number(target.split(':')[1]), allowHalfOpen: true, noDelay: true })
      server.write(received)
      carry(client, server)
      carry(server, client)
    }
    client.on('data', look)
  }
}

function clientIdIn(bytes: Buffer): string | undefined {
  if (bytes.length < CLIENT_ID_AT) return undefined
  const length = Math.max(0, bytes.readInt16BE(CLIENT_ID_AT - 2))
  return bytes.length < CLIENT_ID_AT + length ? undefined : bytes.toString('utf8', CLIENT_ID_AT, CLIENT_ID_AT + length)
}

function carry(from: Socket, to: Socket): void {
  let hasEnded = false
  from.on('data', (chunk: Buffer) => {
    if (to.writable && !to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => {
    hasEnded = true
    to.end()
  })
  from.on('error', () => undefined)
  from.on('close', (hadError) => {
    if (!to.destroyed && (hadError || !hasEnded)) resetSocket(to)
  })
  from.resume()
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
