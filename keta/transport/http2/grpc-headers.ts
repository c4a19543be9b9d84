/** The header blocks that gRPC answers with. None of them needs a table, so the common ones are made once. */
import type { RpcError } from '../transport.ts'
import { encodeHeaders } from './hpack/hpack-encoder.ts'

const CONTENT_TYPE = ['content-type', 'application/grpc'] as const
/** Longer ones would not fit into what clients take as headers. */
const MESSAGE_CHARACTERS_MAX = 4096

/** Before the first message. */
export const ANSWER_HEADERS = encodeHeaders([[':status', '200'], CONTENT_TYPE])
export const OK_TRAILERS = encodeHeaders([['grpc-status', '0']])

/** After the messages. */
export function errorTrailers(error: RpcError): Buffer {
  return encodeHeaders(statusFields(error))
}

/** Instead of messages. */
export function errorHeaders(error: RpcError, httpStatus = 200): Buffer {
  return encodeHeaders([[':status', String(httpStatus)], CONTENT_TYPE, ...statusFields(error)])
}

function statusFields({ status, message }: RpcError): readonly (readonly [string, string])[] {
  const text: [string, string][] = message === '' ? [] : [['grpc-message', percentEncoded(message)]]
  return [['grpc-status', String(status)], ...text]
}

/** As gRPC wants it: the bytes of UTF-8, those outside of printable ASCII and % itself in hexadecimal. */
export function percentEncoded(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text.slice(0, MESSAGE_CHARACTERS_MAX)
  let encoded = ''
  for (const character of text) {
    const part = /[ -$&-~]/.test(character) ? character : hexadecimal(character)
    if (encoded.length + part.length > MESSAGE_CHARACTERS_MAX) break
    encoded += part
  }
  return encoded
}

function hexadecimal(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}
