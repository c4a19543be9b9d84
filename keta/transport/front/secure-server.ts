/** Speaks TLS on connections that it is handed, and finds out by ALPN what is spoken within. */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import type { Admission, ServerTls, TlsMaterial } from './server-tls.ts'

export interface SecureServerOptions {
  readonly tls: ServerTls
  /** HTTP/2 is for clients that choose it; one without ALPN speaks HTTP/1.1. */
  readonly onSecure: (socket: TLSSocket, protocol: 'http1' | 'http2', admission: Admission) => void
}

export class SecureServer {
  readonly #tls: ServerTls
  readonly #server: Server
  #material: TlsMaterial

  constructor({ tls, onSecure }: SecureServerOptions) {
    this.#tls = tls
    this.#material = tls.current()
    this.#server = createServer({
      ...this.#context(),
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: tls.asksForCertificate,
      // `admit` judges: a client without a certificate may be none the worse for it.
      rejectUnauthorized: false,
    })
    this.#server.on('secureConnection', (socket) => {
      // Whoever takes it over learns of the end from its own listeners.
      socket.on('error', () => undefined)
      const admission = tls.admit(socket)
      if ('refused' in admission) {
        tls.onRefused(nameOf(socket), admission.refused)
        socket.destroy()
      } else onSecure(socket, socket.alpnProtocol === 'h2' ? 'http2' : 'http1', admission)
    })
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      // Whoever connects and hangs up again, as load balancers do, has not been refused.
      if (error.code !== 'ECONNRESET') tls.onRefused(nameOf(socket), reasonOf(error))
      socket.destroy()
    })
  }

  /** The handshake begins, with the certificates of this moment. */
  serve(socket: Socket): void {
    const material = this.#tls.current()
    if (material !== this.#material) {
      this.#material = material
      this.#server.setSecureContext(this.#context())
    }
    this.#server.emit('connection', socket)
  }

  /** The handshake has not ended in time: the socket is about to be destroyed. */
  tellLate(socket: Socket): void {
    this.#tls.onRefused(nameOf(socket), 'TLS handshake timeout')
  }

  #context(): SecureContextOptions {
    const { ca, ...material } = this.#material
    return {
      ...material,
      ...(ca === undefined ? {} : { ca: [...ca] }),
      // The order of the server's cipher list counts, as with Go.
      honorCipherOrder: true,
      // HTTP/2 does not allow a second handshake (RFC 9113, 9.2.1), and Go's servers do not know it. A session that is
      // resumed would bring neither the client's chain nor a look at what has been revoked since.
      secureOptions:
        constants.SSL_OP_NO_RENEGOTIATION | (this.#tls.asksForCertificate ? constants.SSL_OP_NO_TICKET : 0),
    }
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort ?? 0}`
}

/** OpenSSL's words, without the places in its sources. */
function reasonOf(error: Error & { readonly reason?: string }): string {
  return error.reason ?? error.message
}
