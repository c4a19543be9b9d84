/** Opens a socket to a server, in the clear or by TLS. */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type SecureContextOptions } from 'node:tls'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** undefined: in the clear. */
export type Tls = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> | undefined

/** The socket, at once; `ready` is the name of the event that says that it is connected. */
export function openSocket({ host, port }: Endpoint, tls: Tls): { readonly socket: Socket; readonly ready: string } {
  if (tls === undefined) return { socket: connectPlain({ host, port, noDelay: true }), ready: 'connect' }
  const socket = connectTls({ host, port, ...tls, ...(/^[\d.:]+$/.test(host) ? {} : { servername: host }) })
  socket.setNoDelay(true)
  return { socket, ready: 'secureConnect' }
}
