/**
 * CRC-32C (Castagnoli), as etcd's HashKV uses it. Eight bytes per step ("slicing by 8"): about six times as fast in
 * JavaScript as one table look-up per byte, and a hash of the whole store is one uninterrupted computation.
 */

/** The polynomial 0x1EDC6F41, bit-reversed. */
const POLYNOMIAL = 0x82f63b78
const SLICES = 8

/** Row k holds, for each byte, its effect on the CRC when k more bytes follow. */
const TABLE = makeTable()

/**
 * The checksum of `bytes`, as an unsigned 32-bit number. A long input may come in parts: give the checksum so far as
 * `seed` with the next part.
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed
  let at = 0
  for (const wholeEnd = bytes.length - (bytes.length % SLICES); at < wholeEnd; at += SLICES) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (TABLE[0x700 | (crc & 0xff)] as number) ^
      (TABLE[0x600 | ((crc >>> 8) & 0xff)] as number) ^
      (TABLE[0x500 | ((crc >>> 16) & 0xff)] as number) ^
      (TABLE[0x400 | (crc >>> 24)] as number) ^
      (TABLE[0x300 | (bytes[at + 4] as number)] as number) ^
      (TABLE[0x200 | (bytes[at + 5] as number)] as number) ^
      (TABLE[0x100 | (bytes[at + 6] as number)] as number) ^
      (TABLE[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL
    table[byte] = crc
  }
  for (let at = 256; at < table.length; at++) {
    const shorter = table[at - 256] as number
    table[at] = (shorter >>> 8) ^ (table[shorter & 0xff] as number)
  }
  return table
}
