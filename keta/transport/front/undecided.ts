/** Connections of which it is not known yet what they speak. */
import type { Socket } from 'node:net'
import { connectionName } from './connection-name.ts'
import { type Protocol, protocolOf } from './first-bytes.ts'
import type { FrontLimits } from './limits.ts'

/** They are bounded in number and in time: whoever connects and says nothing must cost little, and not for long. */
export class Undecided {
  readonly #limits: Pick<FrontLimits, 'decideMs' | 'undecided'>
  /** By the names of the connections, the oldest first. */
  readonly #entries = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>()

  constructor(limits: Pick<FrontLimits, 'decideMs' | 'undecided'>) {
    this.#limits = limits
  }

  /**
   * Until `remove` the connection has only so much time. False: it is gone.
   * @param onLate it is ended for having taken longer
   */
  add(socket: Socket, onLate: () => void): boolean {
    const name = connectionName(socket)
    if (name === undefined) {
      socket.destroy()
      return false
    }
    if (this.#entries.size >= this.#limits.undecided) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.get(oldest)?.socket.destroy()
      this.#remove(oldest)
    }
    const late = (): void => {
      onLate()
      socket.destroy()
    }
    const timer = setTimeout(late, this.#limits.decideMs).unref()
    this.#entries.set(name, { socket, timer })
    socket.once('close', () => {
      if (this.#entries.get(name)?.socket === socket) this.#remove(name)
    })
    return true
  }

  /** @param socket the one that was added, or the TLS socket round it. */
  remove(socket: Socket): void {
    this.#remove(connectionName(socket))
  }

  destroy(): void {
    for (const { socket } of [...this.#entries.values()]) socket.destroy()
  }

  #remove(name: string | undefined): void {
    if (name === undefined) return
    clearTimeout(this.#entries.get(name)?.timer)
    this.#entries.delete(name)
  }
}

/**
 * Reads until it is clear what is spoken, then puts back what was read. The socket is as new, and whoever takes it over
 * has to do so at once, within the call.
 */
export function sniff(socket: Socket, decided: (protocol: Protocol) => void): void {
  let held: Buffer | undefined
  const onEnd = (): void => {
    socket.destroy()
  }
  const onReadable = (): void => {
    const bytes = socket.read() as Buffer | null
    if (bytes === null) return
    held = held === undefined ? bytes : Buffer.concat([held, bytes])
    const protocol = protocolOf(held)
    if (protocol === undefined) return
    socket.off('readable', onReadable)
    socket.off('end', onEnd)
    socket.unshift(held)
    decided(protocol)
  }
  socket.on('readable', onReadable)
  socket.on('end', onEnd)
}
