/**
 * A 64-bit non-cryptographic hash in plain JavaScript, for chaining log records: it must notice every accidental
 * difference, cost little beside applying the record, and give the same answer on every machine and version.
 *
 * Two 32-bit lanes. Each 8-byte block (two little-endian words) is multiplied and rotated into the lanes; each lane
 * then takes in the other, so that a difference in any one word is in both lanes at the end of its block and can be
 * lost again only with probability about 2^-64. The length, and MurmurHash3's 32-bit finaliser, spread the last words
 * over all bits.
 * The definition is part of the log format: it may never change (new record format version instead).
 */

const C1 = 0x9e3779b1
const C2 = 0x85ebca6b
const C3 = 0xc2b2ae35
const C4 = 0x27d4eb2f
const ADD_A = 0x561ccd1b
const ADD_B = 0x0bcaa747

/** Length of a hash in bytes. */
export const HASH_BYTES = 8

/** Seed of a chain before its first element. */
export const ZERO_HASH = '\0'.repeat(HASH_BYTES)

/**
 * Hash of `bytes`, seeded with the hash `previous`: chaining records means feeding each result into the next call.
 * Both are 8 bytes as a latin1 string, most significant byte first.
 */
export function chainHash(previous: string, bytes: Uint8Array): string {
  if (previous.length !== HASH_BYTES) throw new Error(`a hash has ${HASH_BYTES} bytes, not ${previous.length}`)
  let a = wordAt(previous, 0) ^ C4
  let b = wordAt(previous, 4) ^ C3
  const length = bytes.length
  const whole = length & ~7
  for (let at = 0; at < whole; at += 8) {
    a = absorbA(a, b, littleEndian(bytes, at))
    b = absorbB(b, a, littleEndian(bytes, at + 4))
  }
  if (whole < length) {
    a = absorbA(a, b, tailWord(bytes, whole))
    b = absorbB(b, a, tailWord(bytes, whole + 4))
  }
  a ^= length
  b ^= length
  a = (a + b) | 0
  b = (b + a) | 0
  a = finalise(a)
  b = finalise(b)
  a = (a + b) | 0
  b = (b + a) | 0
  return hashText(a, b)
}

function absorbA(a: number, b: number, word: number): number {
  const mixed = Math.imul(word, C1)
  const x = a ^ Math.imul((mixed << 15) | (mixed >>> 17), C2)
  return (Math.imul((((x << 19) | (x >>> 13)) + b) | 0, 5) + ADD_A) | 0
}

function absorbB(b: number, a: number, word: number): number {
  const mixed = Math.imul(word, C2)
  const x = b ^ Math.imul((mixed << 17) | (mixed >>> 15), C1)
  return (Math.imul((((x << 13) | (x >>> 19)) + a) | 0, 5) + ADD_B) | 0
}

function finalise(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), C2)
  h = Math.imul(h ^ (h >>> 13), C3)
  return h ^ (h >>> 16)
}

function littleEndian(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** The word at `at`, where bytes past the end count as zero. */
function tailWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
}

function wordAt(hash: string, at: number): number {
  return (
    (hash.charCodeAt(at) << 24) |
    (hash.charCodeAt(at + 1) << 16) |
    (hash.charCodeAt(at + 2) << 8) |
    hash.charCodeAt(at + 3)
  )
}

function hashText(high: number, low: number): string {
  return String.fromCharCode(
    high >>> 24,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  )
}
