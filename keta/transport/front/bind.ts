/** Binds the addresses that were configured. */
import { lookup } from 'node:dns/promises'
import { createServer, isIP, type Server, type Socket } from 'node:net'

/** A client that is gone without a word is found out by the system after half a minute of silence, and some probes. */
const TCP_KEEPALIVE_MS = 30_000

/**
 * One server for each address that the host stands for, all on the same port.
 * @throws Error that names host and port; nothing is left bound then.
 */
export async function bind(host: string, port: number, onSocket: (socket: Socket) => void): Promise<readonly Server[]> {
  const servers: Server[] = []
  const missing: unknown[] = []
  try {
    for (const address of await addressesOf(host)) {
      try {
        servers.push(await listen(address, portOf(servers) ?? port, onSocket))
      } catch (error) {
        // "localhost" has an IPv6 address also where the machine has none.
        if (!isMissingAddress(error)) throw error
        missing.push(error)
      }
    }
    if (servers.length === 0) throw missing[0]
    return servers
  } catch (error) {
    for (const server of servers) server.close()
    const shown = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot listen on ${shown}: ${text}`, { cause: error })
  }
}

/** The port of servers that `bind` has made. */
export function portOf([server]: readonly Server[]): number | undefined {
  const address = server?.address()
  return typeof address === 'object' ? address?.port : undefined
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true, verbatim: false })
  return [...new Set(found.map(({ address }) => address))]
}

function listen(host: string, port: number, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS }
    const server = createServer(options, onSocket)
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      // A single connection that could not be accepted: its client sees that itself.
      server.on('error', () => undefined)
      resolve(server)
    })
  })
}

function isMissingAddress(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}
