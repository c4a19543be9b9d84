/** Free TCP ports on the loopback address, and whether something listens there. */
import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { ownPorts } from '../conformance/kit/port-range.ts'

const HOST = '127.0.0.1'
/** Below the ephemeral range, so that no outgoing connection can take a port between its choice and its use. */
const PORTS = ownPorts({ lowest: 12_000, end: 22_000 })
/** A port stays free until its server listens, and again whenever that is dead. */
const given = new Set<number>()

/**
 * One that no other caller in this process has been given.
 * @param hosts addresses of this machine: the port is free on every one of them
 */
export async function freePort(hosts: readonly string[] = [HOST]): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.lowest, PORTS.end)
    if (given.has(port)) continue
    given.add(port)
    const free = await Promise.all(hosts.map((host) => canListen(host, port)))
    if (free.every(Boolean)) return port
  }
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen(port, host, () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}

/** @param endpoint 'host:port' */
export function acceptsConnections(endpoint: string): Promise<boolean> {
  const [host = HOST, port = '0'] = endpoint.split(':')
  return new Promise((resolve) => {
    const socket = connect(Number(port), host)
    const answer = (open: boolean) => (): void => {
      socket.destroy()
      resolve(open)
    }
    socket.setTimeout(1000, answer(false))
    socket.once('connect', answer(true))
    socket.once('error', answer(false))
  })
}
