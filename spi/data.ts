/** Values: bytes, and text as a strict UTF-8 view of them. */
import { CoordinationError } from './errors.ts'
import type { Limited } from './capabilities.ts'

/** Text (KIP-30's String) or raw bytes. Backends store bytes. */
export type Data = string | Uint8Array

const encoder = new TextEncoder()
// ignoreBOM means "keep it": a view that drops a byte order mark is not a view
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LONE_SURROGATE = /\p{Surrogate}/u

/** Whether the text has a UTF-8 form: no surrogate without its other half. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text)
}

/**
 * The bytes to store: a copy, so that neither the caller's buffer nor the backend's can change under the other.
 * @throws CoordinationError INVALID_DATA for text with a lone surrogate, which every encoder would silently replace;
 * INVALID_ARGUMENT for anything but text and bytes (a plain JavaScript caller).
 */
export function toBytes(data: Data): Uint8Array {
  if (typeof data === 'string') {
    if (!isWellFormed(data))
      throw new CoordinationError('INVALID_DATA', 'the text has a lone surrogate: it is not UTF-8')
    return encoder.encode(data)
  }
  if ((data as unknown) instanceof Uint8Array) return new Uint8Array(data)
  throw new CoordinationError('INVALID_ARGUMENT', `data must be a string or bytes, not ${typeof data}`)
}

/**
 * What every write does first: {@link toBytes}, within what the backend can hold.
 * @throws CoordinationError as toBytes, and TOO_LARGE above `limits.maxValueBytes`.
 */
export function checkData(data: Data, { backend, limits }: Limited): Uint8Array {
  const bytes = toBytes(data)
  if (bytes.length > limits.maxValueBytes) {
    const message = `the value has ${bytes.length} bytes, at most ${limits.maxValueBytes} are possible`
    throw new CoordinationError('TOO_LARGE', message, { backend })
  }
  return bytes
}

/**
 * The text whose UTF-8 form the bytes are; exact, so that `toBytes(toText(b))` equals `b`.
 * @throws CoordinationError INVALID_DATA if there is none.
 */
export function toText(bytes: Uint8Array, about: { readonly key?: string; readonly backend?: string } = {}): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new CoordinationError('INVALID_DATA', 'the value is not UTF-8: read its bytes', { ...about, cause })
  }
}

/** Whether two values have the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
