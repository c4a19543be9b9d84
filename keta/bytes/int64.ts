/** int64 fields whose value is held as a number that may lie beyond 2^53, where it is only the nearest one. */
import { type ProtoWriter, WIRE_VARINT } from './proto-writer.ts'

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/** The nearest int64: the number nearest to the greatest int64 is 2^63, which would wrap round. */
export function toInt64(value: number): bigint {
  const exact = BigInt(value)
  if (exact > INT64_MAX) return INT64_MAX
  return exact < INT64_MIN ? INT64_MIN : exact
}

/** An int64 field of a number; left out if zero. */
export function writeInt64(writer: ProtoWriter, field: number, value: number): void {
  if (Number.isSafeInteger(value)) writer.intField(field, value)
  else writer.bigField(field, toInt64(value))
}

/** An int64 field of a oneof: written also if zero, because its presence means something. */
export function writePresentInt64(writer: ProtoWriter, field: number, value: number): void {
  writer.tag(field, WIRE_VARINT)
  writer.bigVarint(toInt64(value))
}
