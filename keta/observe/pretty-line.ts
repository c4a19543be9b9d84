/** One log line for a person: time, level, message, then fields as name=value. */
import type { LogLevel } from './log-level.ts'
import type { PlainError } from './plain-fields.ts'

export interface PrettyLine {
  readonly time: Date
  readonly level: LogLevel
  readonly message: string
  /** Plain values, as `plainFields` makes them. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly colour: boolean
}

const RESET = '\x1b[0m'
const DIM = '\x1b[2m'
const LEVEL_COLOUR: Readonly<Record<LogLevel, string>> = {
  debug: '\x1b[2m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}

/** Ends with a newline; contains no other unless a stack trace follows. */
export function prettyLine(line: PrettyLine): string {
  const paint = (colour: string, text: string): string => (line.colour ? `${colour}${text}${RESET}` : text)
  const parts = [
    paint(DIM, line.time.toISOString().slice(11, 23)),
    paint(LEVEL_COLOUR[line.level], line.level.toUpperCase().padEnd(5)),
    printable(line.message),
  ]
  let stack = ''
  for (const [name, value] of Object.entries(line.fields)) {
    parts.push(`${paint(DIM, `${name}=`)}${fieldText(value)}`)
    if (isError(value) && value.stack !== undefined) stack += stackFrames(value.stack)
  }
  return `${parts.join(' ')}\n${stack}`
}

function fieldText(value: unknown): string {
  if (isError(value)) return JSON.stringify(errorText(value))
  if (typeof value === 'string') return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value)
  return JSON.stringify(value)
}

/** "what happened (CODE): because of this: because of that". A cause that the message quotes is not said again. */
function errorText(error: PlainError): string {
  const code = error.code === undefined || error.message.includes(String(error.code)) ? '' : ` (${error.code})`
  const cause = error.cause === undefined || typeof error.cause === 'string' ? error.cause : errorText(error.cause)
  const quoted = typeof error.cause === 'object' && error.message.includes(error.cause.message)
  return error.message + code + (cause === undefined || quoted ? '' : `: ${cause}`)
}

function stackFrames(stack: string): string {
  const frames = stack.split('\n').filter((frame) => /^\s+at /.test(frame))
  return frames.map((frame) => `${frame}\n`).join('')
}

function isError(value: unknown): value is PlainError {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value
}

/** A message stays on its line, whatever it quotes. */
function printable(message: string): string {
  return message.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))
}
