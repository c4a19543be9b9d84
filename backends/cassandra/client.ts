/** The client library, set up for this backend: what it does by itself must not be more than is safe to repeat. */
import { auth, Client, errors, policies, types } from 'cassandra-driver'
import type { PluginContext, Secret } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import type { CoordinationError } from '../../spi/index.ts'
import type { SameHostFirst } from './hosts.ts'
import type { Settings } from './settings.ts'

/** How long to wait before a server that was lost is tried again. */
const RECONNECT_MS = 200
/** Part of the session timeout after which a connection on which nothing happens is tried. */
const HEARTBEAT_PART = 1 / 2
const SHORTEST_HEARTBEAT_MS = 500

/** @param patienceMs of what the client asks by itself, and of opening a connection. */
export function makeClient(
  settings: Settings,
  context: PluginContext,
  hosts: SameHostFirst,
  patienceMs: number,
): Client {
  const { contactPoints, port, localDataCenter, user, tls } = settings
  const client = new Client({
    contactPoints: contactPoints.map((point) => (/:\d+$/.test(point) ? point : `${point}:${port}`)),
    protocolOptions: { port },
    ...(localDataCenter !== undefined && { localDataCenter }),
    ...(user && { authProvider: providerOf(user.name, user.password) }),
    ...(tls && { sslOptions: tls }),
    encoding: { useBigIntAsLong: true },
    // the first preparation would wait for a server that hangs
    prepareOnAllHosts: false,
    // a server that has forgotten a statement says so; to prepare all of them before the first one is used takes long
    rePrepareOnUp: false,
    pooling: {
      coreConnectionsPerHost: {
        [types.distance.local]: 1,
        [types.distance.remote]: 0,
        [types.distance.ignored]: 0,
      },
      heartBeatInterval: Math.max(SHORTEST_HEARTBEAT_MS, Math.round(context.sessionTimeoutMs * HEARTBEAT_PART)),
    },
    socketOptions: { connectTimeout: patienceMs, readTimeout: patienceMs },
    policies: {
      loadBalancing: hosts,
      retry: new policies.retry.FallthroughRetryPolicy(),
      reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_MS),
      addressResolution: translatorOf(settings),
    },
  })
  client.on('log', (level: unknown, source: unknown, message: unknown) => {
    if (level === 'warning' || level === 'error') context.logger.debug(`${String(source)}: ${String(message)}`)
  })
  return client
}

/** What the library keeps to itself. */
interface Internals {
  readonly controlConnection: {
    _createConnection(contactPoint: string): Promise<Closable>
    _refresh(): Promise<void>
  }
}

interface Closable {
  close(): void
}

/** What the library does not do well when servers and networks fail, taken out of its hands. */
export interface Care {
  /** Called when the connection by which the library learns of the servers is lost: it must be replaced. */
  onLost(): void
}

/**
 * The library searches for another connection to learn of the servers by with rejections that nobody handles, and
 * leaves connections open on which that failed; so a client that has lost this connection does not search, but is
 * replaced by another one.
 * @returns closes the connections that were opened to learn of the servers, also those that are only being opened.
 */
export function takeCare(client: Client, care: Care): () => void {
  const { controlConnection } = client as unknown as Internals
  const opened = new Set<Closable>()
  const create = controlConnection._createConnection.bind(controlConnection)
  const end = new AbortController()
  const closeAll = () => {
    for (const connection of opened) connection.close()
    opened.clear()
  }
  controlConnection._createConnection = async (contactPoint) => {
    // the one before it has not answered
    closeAll()
    // it would go on to the next one
    end.signal.throwIfAborted()
    const connection = await create(contactPoint)
    opened.add(connection)
    if (end.signal.aborted) closeAll()
    return connection
  }
  controlConnection._refresh = () => {
    care.onLost()
    return Promise.resolve()
  }
  return () => {
    end.abort(new Error('given up'))
    closeAll()
  }
}

/** An object of the library's class, which its types do not show. */
function translatorOf({ addresses }: Settings): policies.addressResolution.AddressTranslator {
  return Object.assign(policies.defaultAddressTranslator(), {
    translate(address: string, port: number, callback: (endpoint: string) => void) {
      callback(addresses.get(address) ?? `${address}:${port}`)
    },
  })
}

/** A wrong property that only the servers could tell. */
export function configFaultOf(error: unknown): CoordinationError | undefined {
  if (!(error instanceof errors.NoHostAvailableError)) return undefined
  const inner = Object.values((error.innerErrors ?? {}) as Record<string, unknown>)
  const wrong = inner.find((one) => one instanceof errors.ArgumentError)
  return wrong && configError([`plugin.cassandra.local.datacenter: ${wrong.message}`], error)
}

/** Where the name and the password are needed, and nowhere before: the client shows its options when it is printed. */
function providerOf(name: string, password: Secret): auth.AuthProvider {
  return new (class extends auth.PlainTextAuthProvider {
    constructor() {
      super(name, '')
    }

    override newAuthenticator(endpoint: string, authenticator: string): auth.Authenticator {
      return new auth.PlainTextAuthProvider(name, password.reveal()).newAuthenticator(endpoint, authenticator)
    }
  })()
}
