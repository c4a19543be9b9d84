/** Accepts connections, and answers requests as their answers are ready. */
import { createServer, type Server, type Socket } from 'node:net'
import { BrokerError, messageOf } from '../errors.ts'
import type { Address } from './connection.ts'
import { encodeFrame, type Frame, FrameReader } from './frames.ts'

export interface Answer {
  readonly header: object
  readonly body?: Uint8Array
}

/** What it throws is sent as the answer. */
export type Handler = (api: string, frame: Frame) => Promise<Answer>

export class WireServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #handle: Handler

  constructor(handle: Handler) {
    this.#handle = handle
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket))
  }

  /** @returns where it listens. @throws BrokerError INVALID_REQUEST if the address is taken or not ours. */
  listen({ host, port }: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(new BrokerError('INVALID_REQUEST', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }))
      })
      this.#server.listen(port, host, () => {
        const address = this.#server.address()
        resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port })
      })
    })
  }

  /** Ends all connections; what is being answered is dropped. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    const reader = new FrameReader()
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // 'close' follows
    socket.on('error', () => undefined)
    socket.on('data', (piece: Buffer) => {
      try {
        for (const frame of reader.push(piece)) this.#answer(socket, frame)
      } catch {
        socket.destroy()
      }
    })
  }

  #answer(socket: Socket, frame: Frame): void {
    const { id, api } = frame.header
    const send = (header: object, body?: Uint8Array) => {
      if (socket.writable) socket.write(encodeFrame({ id, ...header }, body))
    }
    // in the turn in which it arrived: requests of one connection are begun in their order
    this.#handle(String(api), frame).then(
      ({ header, body }) => send(header, body),
      (error: unknown) => {
        const code = error instanceof BrokerError ? error.code : 'INTERNAL'
        send({ error: { code, message: messageOf(error) } })
      },
    )
  }
}
