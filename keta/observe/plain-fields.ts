/**
 * Turns log fields into plain JSON values: errors with code and causes, bigints as hex, secrets masked, nothing
 * unbounded.
 */

const SECRET_NAME = /passw(or)?d|secret|passphrase|credential|jaas|authorization|private[-_.]?key|^token$|[-_.]token$/i
const MASK = '***'

const MAX_DEPTH = 6
const MAX_ITEMS = 100
const MAX_TEXT = 8192
const MAX_CAUSES = 8

export function plainFields(fields: object): Record<string, unknown> {
  return plainObject(fields, 0)
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    plain[name] = SECRET_NAME.test(name) && value !== '' ? MASK : plainValue(value, depth + 1)
  }
  return plain
}

function plainValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'bigint':
      return BigInt.asUintN(64, value).toString(16)
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}… (${value.length} characters)` : value
    case 'number':
    case 'boolean':
      return value
    case 'object':
      return value === null ? null : plainReference(value, depth)
    case 'undefined':
    case 'function':
    case 'symbol':
      return String(value)
  }
}

function plainReference(value: object, depth: number): unknown {
  if (value instanceof Error) return plainError(value, MAX_CAUSES)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (depth > MAX_DEPTH) return '…'
  if (value instanceof Map) return plainObject(Object.fromEntries(value) as object, depth)
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...(value as Iterable<unknown>)]
    const plain = items.slice(0, MAX_ITEMS).map((item) => plainValue(item, depth + 1))
    return items.length > MAX_ITEMS ? [...plain, `… (${items.length} items)`] : plain
  }
  return plainObject(value, depth)
}

export interface PlainError {
  readonly type: string
  readonly message: string
  readonly code?: string | number
  /** Only where there is no code: a defect, whose place in the source is what one wants to know. */
  readonly stack?: string
  readonly cause?: PlainError | string
}

/** The error with its causes, up to a few links (a chain may be a ring). */
function plainError(error: Error, links: number): PlainError {
  const { code } = error as { code?: unknown }
  const hasCode = typeof code === 'string' || typeof code === 'number'
  return {
    type: error.name,
    message: error.message,
    ...(hasCode ? { code } : {}),
    ...(!hasCode && error.stack !== undefined ? { stack: error.stack } : {}),
    ...(error.cause === undefined || links === 0 ? {} : { cause: plainCause(error.cause, links - 1) }),
  }
}

function plainCause(cause: unknown, links: number): PlainError | string {
  return cause instanceof Error ? plainError(cause, links) : String(cause)
}
