/**
 * Credentials that keep hold of their channel's sockets. grpc-js waits without end for the first words of a server, and
 * closing the channel does not close what waits; a channel that is closed between two attempts to connect makes the
 * second all the same. In both cases nobody is left to close the connection. One that is in use is closed only when its
 * streams have ended and the server has said goodbye as well: that is for as long as a server is silent.
 */
import { ChannelCredentials, type experimental } from '@grpc/grpc-js'
import type { Socket } from 'node:net'

type CreateArguments = Parameters<ChannelCredentials['_createSecureConnector']>

export class ClosableCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials
  readonly #sockets = new Set<Socket>()
  #closed = false

  /** @param inner of one channel only. */
  constructor(inner: ChannelCredentials) {
    super()
    this.#inner = inner
  }

  /** From now on nothing is connected. @param graceMs what is connected may end by itself for so long, milliseconds. */
  close(graceMs: number): void {
    this.#closed = true
    const destroyAll = () => {
      for (const socket of this.#sockets) socket.destroy()
    }
    if (graceMs === 0) destroyAll()
    else setTimeout(destroyAll, graceMs).unref()
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
