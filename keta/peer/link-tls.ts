/** How links to other nodes speak TLS, at https:// URLs. */
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { connect, createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js'

export interface LinkTls {
  /** What this node shows if it is asked: PEM. */
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  /** Authorities of the other nodes, PEM. Without them, those that Node.js trusts. */
  readonly ca?: readonly string[]
  /** OpenSSL's cipher list. */
  readonly ciphers?: string
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  /** False: any certificate of the other side is taken. */
  readonly verifies: boolean
}

export const DEFAULT_LINK_TLS: LinkTls = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', verifies: true }

/** Those of grpc-js send an address as the name of the server, which TLS does not allow and Node.js warns of. */
export class LinkCredentials extends ChannelCredentials {
  readonly #host: string
  readonly #verifies: boolean
  readonly #context: SecureContext

  /** @param host name or address of the other side, without brackets. */
  constructor(host: string, { ca, verifies, ...rest }: LinkTls) {
    super()
    this.#host = host
    this.#verifies = verifies
    this.#context = createSecureContext({ ...rest, ...(ca === undefined ? {} : { ca: [...ca] }) })
  }

  override _isSecure(): boolean {
    return true
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(): experimental.SecureConnector {
    return {
      connect: (socket) => this.#secure(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    }
  }

  #secure(socket: Socket): ReturnType<experimental.SecureConnector['connect']> {
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        host: this.#host,
        ...(isIP(this.#host) === 0 ? { servername: this.#host } : {}),
        secureContext: this.#context,
        rejectUnauthorized: this.#verifies,
        ALPNProtocols: ['h2'],
      })
      secured.once('secureConnect', () => resolve({ socket: secured, secure: true }))
      // Later errors are the session's; this one listener stays, so that none is unheard.
      secured.on('error', reject)
    })
  }
}
