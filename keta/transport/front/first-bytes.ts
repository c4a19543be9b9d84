/** What a client speaks, by the first bytes that it sends. */

export type Protocol = 'http1' | 'http2' | 'tls'

/** With it every HTTP/2 connection begins (RFC 9113, 3.4). */
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** The record type of a TLS handshake, with which its first message comes. No HTTP method begins with it. */
const TLS_HANDSHAKE = 0x16

/**
 * undefined: more bytes are needed, at most the 24 of HTTP/2's preface. What is neither HTTP/2 nor TLS counts as
 * HTTP/1.1, whose parser refuses what it is not.
 */
export function protocolOf(bytes: Buffer): Protocol | undefined {
  if (bytes.length === 0) return undefined
  if (bytes[0] === TLS_HANDSHAKE) return 'tls'
  const compared = Math.min(bytes.length, HTTP2_PREFACE.length)
  if (HTTP2_PREFACE.compare(bytes, 0, compared, 0, compared) !== 0) return 'http1'
  return compared === HTTP2_PREFACE.length ? 'http2' : undefined
}
