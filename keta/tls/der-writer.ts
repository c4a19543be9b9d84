/** Writes DER, as far as a certificate needs it. */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  objectId: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag, ...lengthOf(content.length)), content])
}

export function sequence(...values: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...values)
}

/** @param bytes of a number that is not negative, the highest first; in DER it must have no more than it needs. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Buffer.of(0) : bytes.subarray(first)
  const isNegative = (digits[0] ?? 0) >= 0x80
  return der(TAG.integer, isNegative ? Buffer.of(0) : Buffer.alloc(0), digits)
}

/** "1.2.840.10045.4.3.2" */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  return der(TAG.objectId, Buffer.from([first * 40 + second, ...others.flatMap(base128)]))
}

export function bits(bytes: Uint8Array, unused = 0): Buffer {
  return der(TAG.bits, Buffer.of(unused), bytes)
}

/** To the second. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  return der(TAG.time, Buffer.from(digits, 'latin1'))
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 + bytes.length, ...bytes]
}

function base128(number: number): readonly number[] {
  const bytes = [number % 128]
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 + (rest % 128))
  return bytes
}
