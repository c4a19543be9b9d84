/** Prints messages for people: bytes as readable text, zero values left out, long values cut. */

const LONGEST = 60

export function show(value: unknown): string {
  return JSON.stringify(plain(value))
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Uint8Array) return showBytes(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, field]) => !name.startsWith('$') && !isZero(field))
  return Object.fromEntries(entries.map(([name, field]) => [name, plain(field)]))
}

function showBytes(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, LONGEST)).toString('latin1')
  const text = head.replace(/[^ -~]/g, (char) => `<${char.charCodeAt(0).toString(16).padStart(2, '0')}>`)
  return bytes.length > LONGEST ? `${text}… (${bytes.length} bytes)` : text
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  return value === undefined || value === 0 || value === 0n || value === '' || value === false
}
