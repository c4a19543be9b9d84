/**
 * Keys and key ranges.
 *
 * A key is an arbitrary byte string. Inside the server it is held as a latin1 string, one char per
 * byte: `<` and `===` on such strings are bytewise comparison and equality, they hash, and they cost
 * half of what Buffers cost in ordered maps (measured; docs/decisions/0003-keys-as-latin1-strings.md).
 */

/** A byte string, one char (0–255) per byte. Compare with `<`, `===`. */
export type Key = string & { readonly __brand: 'keta.Key' }

/** The half-open interval [start, end); `end === null` means "to the end of the key space". */
export interface KeyRange {
  readonly start: Key
  readonly end: Key | null
}

/** The empty byte string. Not a legal key to write; as a range end it means "just the one key". */
export const EMPTY_KEY = '' as Key

/** etcd's marker "\0": as a range end it means "every key from here on". */
export const FROM_KEY_END = '\0' as Key

/** Copies bytes into a key: the result does not keep the caller's buffer alive. */
export function keyFromBytes(bytes: Uint8Array): Key {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') as Key
}

export function bytesFromKey(key: Key): Buffer {
  return Buffer.from(key, 'latin1')
}

/** For constants and tests: the UTF-8 bytes of `text` as a key. */
export function keyFromText(text: string): Key {
  return keyFromBytes(Buffer.from(text, 'utf8'))
}

/** The smallest key greater than `key`. */
export function successor(key: Key): Key {
  return (key + '\0') as Key
}

/**
 * The interval that etcd's pair (key, range_end) denotes: range_end empty = the one key,
 * "\0" = from the key on, otherwise [key, range_end), which is empty if range_end ≤ key.
 */
export function rangeOf(key: Key, rangeEnd: Key): KeyRange {
  if (rangeEnd === EMPTY_KEY) return { start: key, end: successor(key) }
  if (rangeEnd === FROM_KEY_END) return { start: key, end: null }
  return { start: key, end: rangeEnd }
}

export function contains(range: KeyRange, key: Key): boolean {
  return key >= range.start && (range.end === null || key < range.end)
}

export function isEmptyRange(range: KeyRange): boolean {
  return range.end !== null && range.end <= range.start
}
