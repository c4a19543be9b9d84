/** Compares answers of two servers, with the listed exceptions and nothing else forgiven. */
import { type DescMessage, fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { Answer } from './connection.ts'
import { type Exception, EXCEPTIONS } from './exceptions.ts'
import { show } from './show.ts'

/** The names of the two servers whose answers are printed. */
export interface Names {
  readonly left: string
  readonly right: string
}

/** How much is printed on both sides of a difference. */
const CONTEXT = 1000

/** A message as its fields. */
type Fields = Record<string, unknown>

const byMessage = new Map<string, Exception[]>()
for (const exception of EXCEPTIONS) {
  byMessage.set(exception.message, [...(byMessage.get(exception.message) ?? []), exception])
}

/**
 * Describes the difference between two answers to one request.
 * @param codeOnly compare errors by their code, not their text
 * @returns undefined if they are equal
 */
export function compareAnswers(
  schema: DescMessage,
  left: Answer,
  right: Answer,
  names: Names,
  codeOnly = false,
): string | undefined {
  if (left.ok && right.ok) {
    return compareMessages(schema, fromBinary(schema, left.bytes), fromBinary(schema, right.bytes), names)
  }
  const same = !left.ok && !right.ok && left.code === right.code && (codeOnly || left.text === right.text)
  if (same) return undefined
  return difference(names, showAnswer(schema, left), showAnswer(schema, right))
}

/** Changes the given messages where an exception applies. */
export function compareMessages(schema: DescMessage, left: Message, right: Message, names: Names): string | undefined {
  forgive(left, right)
  const equal = Buffer.compare(toBinary(schema, left), toBinary(schema, right)) === 0
  return equal ? undefined : difference(names, show(left), show(right))
}

export function showAnswer(schema: DescMessage, answer: Answer): string {
  return answer.ok ? show(fromBinary(schema, answer.bytes)) : `code ${answer.code}: ${answer.text}`
}

/** Of long texts, what surrounds the first difference. */
export function difference(names: Names, left: string, right: string): string {
  const width = Math.max(names.left.length, names.right.length)
  let start = 0
  while (start < left.length && left[start] === right[start]) start++
  const from = Math.max(0, start - CONTEXT)
  const cut = (text: string): string =>
    `${from > 0 ? '…' : ''}${text.slice(from, start + CONTEXT)}${text.length > start + CONTEXT ? '…' : ''}`
  return `${names.left.padEnd(width)} ${cut(left)}\n${names.right.padEnd(width)} ${cut(right)}`
}

/** Makes equal what may differ, in a message and all messages in it. */
function forgive(left: Fields, right: Fields): void {
  for (const exception of byMessage.get(String(left['$typeName'])) ?? []) apply(exception, left, right)
  for (const [name, value] of Object.entries(left)) {
    const other = right[name]
    if (Array.isArray(value) && Array.isArray(other)) {
      value.forEach((element, i) => {
        if (isFields(element) && isFields(other[i])) forgive(element, other[i])
      })
    } else if (isFields(value) && isFields(other)) {
      forgive(value, other)
    }
  }
}

function apply({ field, treatment }: Exception, left: Fields, right: Fields): void {
  const [a, b] = [left[field], right[field]]
  switch (treatment) {
    case 'any':
      right[field] = a
      break
    case 'zero or not':
      if (Boolean(a) === Boolean(b)) right[field] = a
      break
    case 'any order':
      left[field] = sorted(a)
      right[field] = sorted(b)
      break
    case 'within 1':
      if (isClose(a, b)) right[field] = a
      break
  }
}

function isClose(a: unknown, b: unknown): boolean {
  if (typeof a !== 'bigint' || typeof b !== 'bigint' || a < 0n !== b < 0n) return false
  return a - b <= 1n && b - a <= 1n
}

function sorted(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`not a repeated field: ${show(value)}`)
  return (value as unknown[])
    .map((element) => ({ element, text: show(element) }))
    .sort((x, y) => (x.text < y.text ? -1 : Number(x.text > y.text)))
    .map(({ element }) => element)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}
