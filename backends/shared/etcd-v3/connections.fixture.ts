/** How many connections clients have to servers of this machine, as its kernel knows them. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { TestServer } from '../../../test-servers/server.ts'

const TABLE = '/proc/net/tcp'
const ESTABLISHED = '01'

interface Socket {
  readonly localPort: number
  readonly remotePort: number
  readonly state: string
  readonly inode: string
}

/** Those that servers have to each other are left out. undefined where the machine does not show connections. */
export function connectionsTo(servers: readonly TestServer[]): number | undefined {
  if (!existsSync(TABLE)) return undefined
  const ports = new Set(servers.map(({ endpoint }) => Number(endpoint.split(':')[1])))
  const all = sockets()
  const theirs = new Set(servers.flatMap(inodesOf))
  const theirPorts = new Set(all.filter(({ inode }) => theirs.has(inode)).map(({ localPort }) => localPort))
  return all.filter(
    ({ state, localPort, remotePort }) => state === ESTABLISHED && ports.has(localPort) && !theirPorts.has(remotePort),
  ).length
}

function sockets(): readonly Socket[] {
  const rows = readFileSync(TABLE, 'utf8').trim().split('\n').slice(1)
  return rows.map((row) => {
    const [, local = '', remote = '', state = '', , , , , , inode = ''] = row.trim().split(/\s+/)
    return { localPort: portOf(local), remotePort: portOf(remote), state, inode }
  })
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16)
}

/** Of the sockets that a server has open. */
function inodesOf({ pid }: TestServer): readonly string[] {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`${directory}/${fd}`))?.[1] ?? [])
}

/** Empty if it was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
