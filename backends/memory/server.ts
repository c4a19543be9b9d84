/** Serves a store over TCP, so that several processes share it. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type Clock, CoordinationError, systemClock } from '../../spi/index.ts'
import { Journal } from './journal.ts'
import { ServerConnection } from './server-connection.ts'
import { BACKEND, Store } from './store.ts'
import { StoreHost } from './store-host.ts'

export interface ServeOptions {
  readonly host?: string
  /** 0: any. */
  readonly port: number
  /** The journal's file; without one the data end with the process. */
  readonly data?: string | undefined
  readonly access?: AccessRules
  readonly clock?: Clock
}

/** Who may do what. Without a password everybody may do everything. */
export interface AccessRules {
  readonly password?: string | undefined
  /** Another password, whose clients may not touch anything of one cluster. */
  readonly restricted?: { readonly password: string; readonly forbiddenCluster: string } | undefined
}

export interface ServedStore extends AsyncDisposable {
  readonly endpoint: string
}

/** Resolves when it listens. @throws Error if the journal is not one, or the address cannot be had. */
export async function serveStore(options: ServeOptions): Promise<ServedStore> {
  const { host = '127.0.0.1', port, data, access = {}, clock = systemClock } = options
  const store = new Store(data === undefined ? firstRevisionWithoutMemory() : 0)
  const journal = data === undefined ? undefined : Journal.open(data, store)
  const storeHost = new StoreHost(store, journal)
  storeHost.startLeases(clock)
  const connections = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    const permit = (password: string | undefined) => permissionOf(access, password)
    const served = { host: storeHost, clock, permit, persistent: data !== undefined, connections }
    new ServerConnection(socket, served).start()
  })
  await listening(server, host, port)
  const address = server.address() as AddressInfo
  return {
    endpoint: `${address.address}:${address.port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const socket of connections) socket.destroy()
      await closed
      storeHost.close()
      journal?.[Symbol.dispose]()
    },
  }
}

/**
 * A store that forgets with its process still must not give a token or a version twice: it begins above all that an
 * earlier one can have reached, at less than a million writes in a second.
 */
function firstRevisionWithoutMemory(): number {
  return Date.now() * 1_000
}

/** What a client with this password is forbidden; undefined: it is refused altogether. */
function permissionOf(access: AccessRules, password: string | undefined): ((cluster: string) => void) | undefined {
  const { restricted } = access
  if (restricted !== undefined && password === restricted.password) {
    return (cluster) => {
      if (cluster !== restricted.forbiddenCluster) return
      throw new CoordinationError('AUTHORIZATION', `cluster ${cluster} is not yours`, { backend: BACKEND })
    }
  }
  return access.password === undefined || password === access.password ? () => undefined : undefined
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
