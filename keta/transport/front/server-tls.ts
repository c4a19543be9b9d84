/** What the front needs to speak TLS, as a port: certificates that may change while it runs, and whom they admit. */
import type { SecureVersion, TLSSocket } from 'node:tls'

/** Of a connection: certificates in PEM, and how TLS is spoken. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  readonly passphrase?: string
  /** Authorities of client certificates. Without them, those that Node.js trusts. */
  readonly ca?: readonly string[]
  /** OpenSSL's cipher list. */
  readonly ciphers?: string
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
}

/** What a connection is allowed. */
export interface Admission {
  /** CN of a client certificate that says who the client is. */
  readonly commonName?: string
  /** The certificate is one of another node of this cluster. */
  readonly isNode?: boolean
}

export interface ServerTls {
  /** What the next connection is served with: the same object as long as nothing has changed. Does not throw. */
  current(): TlsMaterial
  /** Whether clients are asked for a certificate. */
  readonly asksForCertificate: boolean
  /**
   * Whether a connection is served, after its handshake; if not, why, for the log. `authorized` of the socket says
   * whether there is a certificate that leads to one of `ca`.
   */
  admit(socket: TLSSocket): Admission | { readonly refused: string }
  /** Told of connections that got no further than the handshake. */
  onRefused(client: string, reason: string): void
}
