/** TLS for the tests of transports: a certificate of its own making, and clients that show none. */
import { selfSigned } from '../../tls/self-signed.ts'
import type { ServerTls, TlsMaterial } from './server-tls.ts'

export interface TestTls extends ServerTls {
  /** The certificate, which is its own authority. */
  readonly ca: string
  readonly refused: string[]
}

export function testTls(): TestTls {
  const { cert, key } = selfSigned({ hosts: ['127.0.0.1', 'localhost'], validityYears: 1, now: new Date() })
  const material: TlsMaterial = { cert, key, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' }
  const refused: string[] = []
  return {
    ca: cert,
    refused,
    asksForCertificate: false,
    current: () => material,
    admit: () => ({}),
    onRefused: (_client, reason) => refused.push(reason),
  }
}
