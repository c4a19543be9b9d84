/**
 * Encodes header blocks without any table of its own: names and fields of the static table, everything else as it is.
 * So blocks can be made once and sent on every connection.
 */
import { STATIC_TABLE, staticNameIndex } from './static-table.ts'

/** @param fields names in lower case; characters beyond Latin-1 lose their upper byte. */
export function encodeHeaders(fields: Iterable<readonly [name: string, value: string]>): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of fields) {
    const known = STATIC_TABLE.findIndex((field) => field.name === name && field.value === value) + 1
    if (known > 0) parts.push(integer(0x80, 0x7f, known))
    else {
      const nameIndex = staticNameIndex(name)
      parts.push(integer(0, 0x0f, nameIndex))
      if (nameIndex === 0) parts.push(...string(name))
      parts.push(...string(value))
    }
  }
  return Buffer.concat(parts)
}

function string(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  return [integer(0, 0x7f, bytes.length), bytes]
}

function integer(pattern: number, prefix: number, value: number): Buffer {
  if (value < prefix) return Buffer.from([pattern | value])
  const bytes = [pattern | prefix]
  let rest = value - prefix
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
