/** What the front has found out about the clients of TLS connections, for the calls that come on these. */
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js'
import type { Socket } from 'node:net'

import { connectionName } from '../front/connection-name.ts'
import type { Admission } from '../front/server-tls.ts'

/** grpc-js tells of a call only between which addresses it came, not on which socket. */
export class Admissions {
  readonly #byConnection = new Map<string, Admission>()

  /** Holds until the connection closes. */
  add(socket: Socket, admission: Admission): void {
    const name = connectionName(socket)
    if (name === undefined) return
    // Of a connection between the same ends whose end has not been noticed yet, nothing may be left.
    this.#byConnection.delete(name)
    if (admission.commonName === undefined && admission.isNode !== true) return
    this.#byConnection.set(name, admission)
    socket.once('close', () => {
      if (this.#byConnection.get(name) === admission) this.#byConnection.delete(name)
    })
  }

  of(call: ServerInterceptingCallInterface): Admission | undefined {
    if (this.#byConnection.size === 0) return undefined
    const name = connectionName(call.getConnectionInfo())
    return name === undefined ? undefined : this.#byConnection.get(name)
  }
}
