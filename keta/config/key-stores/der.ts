/** Reads DER, as far as key stores need it: tags below 31, lengths that are known. */
import { InvalidValue } from '../invalid-value.ts'

export const TAG = {
  integer: 0x02,
  octets: 0x04,
  objectId: 0x06,
  sequence: 0x30,
  /** [0], constructed. */
  zero: 0xa0,
  /** [0], primitive. */
  zeroOctets: 0x80,
} as const

export interface DerValue {
  readonly tag: number
  readonly content: Buffer
  /** With tag and length. */
  readonly whole: Buffer
}

/** The values that stand one after the other. @throws InvalidValue */
export function readDer(bytes: Buffer): readonly DerValue[] {
  const values: DerValue[] = []
  let rest = bytes
  while (rest.length > 0) {
    const value = readOne(rest)
    values.push(value)
    rest = rest.subarray(value.whole.length)
  }
  return values
}

/** The values within one that consists of others. @throws InvalidValue if there is none, or one of another tag */
export function within(value: DerValue | undefined, tag: number = TAG.sequence): readonly DerValue[] {
  return readDer(contentOf(value, tag))
}

/** @throws InvalidValue if there is no value, or one of another tag */
export function contentOf(value: DerValue | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw malformed()
  return value.content
}

/** "1.2.840.113549" @throws InvalidValue */
export function objectId(value: DerValue | undefined): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of contentOf(value, TAG.objectId)) {
    number = number * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    numbers.push(number)
    number = 0
  }
  const [first = 0, ...others] = numbers
  const root = Math.min(2, Math.floor(first / 40))
  return [root, first - 40 * root, ...others].join('.')
}

/** Of a number that fits into four bytes and is not negative. @throws InvalidValue */
export function smallInteger(value: DerValue | undefined): number {
  const content = contentOf(value, TAG.integer)
  if (content.length === 0 || content.length > 5 || content.readInt8() < 0) throw malformed()
  return content.readUIntBE(0, content.length)
}

function readOne(bytes: Buffer): DerValue {
  const [tag = 0, first = 0] = bytes
  if (bytes.length < 2 || (tag & 0x1f) === 0x1f) throw malformed()
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  // 0x80 alone would be a length that only the end shows: BER, not DER.
  if (lengthBytes > 4 || first === 0x80 || bytes.length < 2 + lengthBytes) throw malformed()
  const start = 2 + lengthBytes
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes)
  if (bytes.length < start + length) throw malformed()
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(0, start + length) }
}

function malformed(): InvalidValue {
  return new InvalidValue('it is not a PKCS12 store, or a damaged one')
}
