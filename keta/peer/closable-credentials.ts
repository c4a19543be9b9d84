/**
 * Credentials that keep hold of their channel's sockets. grpc-js waits without end for the first words of a server, and
 * closing a channel neither closes what waits nor keeps it from a further attempt that has begun: so a connection
 * that is given up would live on, and keep the process alive.
 */
import type { Socket } from 'node:net'

import { ChannelCredentials, type experimental } from '@grpc/grpc-js'

type CreateArguments = Parameters<ChannelCredentials['_createSecureConnector']>

export class ClosableCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials
  readonly #sockets = new Set<Socket>()
  #closed = false

  /** An instance is for one channel only; `inner` may be shared. */
  constructor(inner: ChannelCredentials) {
    super()
    this.#inner = inner
  }

  /** Ends every connection of the channel. From now on nothing is connected. */
  close(): void {
    this.#closed = true
    for (const socket of this.#sockets) socket.destroy()
  }

  override _isSecure(): boolean {
    return this.#inner._isSecure()
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(...args: CreateArguments): experimental.SecureConnector {
    const inner = this.#inner._createSecureConnector(...args)
    return {
      connect: async (socket) => {
        if (this.#closed) throw new Error('the connection was given up')
        this.#sockets.add(socket)
        socket.once('close', () => this.#sockets.delete(socket))
        return inner.connect(socket)
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => inner.destroy(),
    }
  }
}
