/** What a verified certificate says, and under which authority it was issued. */
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** More than any chain has; what a client sends as one may be a circle. */
const LONGEST_CHAIN = 10

/** The certificate, and what was sent with it to lead to an authority. */
export function chainOf(leaf: X509Certificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: X509Certificate | undefined = leaf
  while (next !== undefined && chain.length < LONGEST_CHAIN) {
    const last: X509Certificate = next
    if (chain.some(({ fingerprint256 }) => fingerprint256 === last.fingerprint256)) break
    chain.push(last)
    next = last.issuerCertificate
  }
  return chain
}

/**
 * Whether a chain leads to one of the authorities. That it is valid in every other respect (time, purpose, constraints)
 * has to be known: this tells apart authorities that are all trusted.
 */
export function isIssuedUnder(chain: readonly X509Certificate[], authorities: readonly X509Certificate[]): boolean {
  for (const [index, certificate] of chain.entries()) {
    if (authorities.some((authority) => isIssuedBy(certificate, authority))) return true
    const next = chain[index + 1]
    if (next === undefined || !next.ca || !isIssuedBy(certificate, next)) return false
  }
  return false
}

/** As Go reads it: the last CN of the subject, or nothing. */
export function commonNameOf(certificate: X509Certificate): string {
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] }
  return (typeof CN === 'object' ? CN.at(-1) : CN) ?? ''
}

/** By its alternative names; the CN does not count. */
export function isValidFor(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined
  return certificate.checkHost(host, { subject: 'never' }) !== undefined
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}
