/** Reads grpc-timeout, the time that a client gives a call. */

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** In milliseconds; or what is wrong with it, in grpc-go's words. */
export function parseTimeout(value: string): number | string {
  if (value.length < 2) return `transport: timeout string is too short: ${JSON.stringify(value)}`
  // Eight digits and the unit.
  if (value.length > 9) return `transport: timeout string is too long: ${JSON.stringify(value)}`
  const unit = UNIT_MS[value.at(-1) ?? '']
  if (unit === undefined) return `transport: timeout unit is not recognized: ${JSON.stringify(value)}`
  const digits = value.slice(0, -1)
  if (!/^\d+$/.test(digits)) return `strconv.ParseUint: parsing ${JSON.stringify(digits)}: invalid syntax`
  return Number(digits) * unit
}
