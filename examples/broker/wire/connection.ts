/** A connection to a broker: requests in any number at once, each with its own answer. */
import { connect, type Socket } from 'node:net'
import { BROKER_ERRORS, BrokerError, type BrokerErrorCode } from '../errors.ts'
import { encodeFrame, type Frame, FrameReader } from './frames.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

interface Waiting {
  resolve(frame: Frame): void
  reject(error: Error): void
}

const CONNECT_MS = 2_000

export class Connection {
  readonly #socket: Socket
  readonly #reader = new FrameReader()
  readonly #waiting = new Map<number, Waiting>()
  #requests = 0
  #failure: BrokerError | undefined

  constructor({ host, port }: Address) {
    const to = `${host}:${port}`
    this.#socket = connect({ host, port, noDelay: true })
    const limit = setTimeout(() => this.#fail(`${to} could not be reached within ${CONNECT_MS} ms`), CONNECT_MS)
    this.#socket.once('connect', () => clearTimeout(limit))
    this.#socket.on('data', (piece: Buffer) => this.#receive(piece))
    this.#socket.on('error', (error) => this.#fail(`the connection to ${to} failed: ${error.message}`))
    this.#socket.on('close', () => {
      clearTimeout(limit)
      this.#fail(`the connection to ${to} was closed`)
    })
  }

  get isUsable(): boolean {
    return this.#failure === undefined
  }

  /**
   * @throws BrokerError what the broker answered; DISCONNECTED; REQUEST_TIMED_OUT if there is no answer in time.
   */
  async request(api: string, header: object = {}, body?: Uint8Array, timeoutMs = 10_000): Promise<Frame> {
    if (this.#failure !== undefined) throw this.#failure
    const id = ++this.#requests
    const answer = new Promise<Frame>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
    })
    const limit = setTimeout(() => {
      this.#take(id)?.reject(new BrokerError('REQUEST_TIMED_OUT', `${api}: no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    this.#socket.write(encodeFrame({ id, api, ...header }, body))
    try {
      return await answer
    } finally {
      clearTimeout(limit)
    }
  }

  close(): void {
    this.#fail('it was closed')
  }

  #receive(piece: Buffer): void {
    try {
      for (const frame of this.#reader.push(piece)) {
        const waiting = this.#take(Number(frame.header['id']))
        const error = frame.header['error']
        if (error === undefined) waiting?.resolve(frame)
        else waiting?.reject(errorOf(error))
      }
    } catch (error) {
      this.#fail(`it sent nonsense: ${String(error)}`)
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #fail(why: string): void {
    this.#failure ??= new BrokerError('DISCONNECTED', why)
    this.#socket.destroy()
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.reject(this.#failure)
  }
}

/** To several brokers, each connected to when it is needed, and again after a failure. */
export class Connections {
  readonly #connections = new Map<string, Connection>()

  to(address: Address): Connection {
    const key = `${address.host}:${address.port}`
    const known = this.#connections.get(key)
    if (known?.isUsable === true) return known
    const fresh = new Connection(address)
    this.#connections.set(key, fresh)
    return fresh
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }
}

function errorOf(wire: unknown): BrokerError {
  const { code, message } = wire as { readonly code?: unknown; readonly message?: unknown }
  const known = BROKER_ERRORS.find((one): one is BrokerErrorCode => one === code)
  return new BrokerError(known ?? 'INTERNAL', String(message))
}
