/** The kinds of values that options have: how each is read from text, written back as text, and described. */
import { type ClientUrl, parseUrls } from './client-urls.ts'
import { InvalidValue } from './invalid-value.ts'

/** One kind of value. `parse` throws InvalidValue; `format` gives text that `parse` reads back to the same value. */
export interface ValueKind<T> {
  /** For help and docs: "duration", "bytes". */
  readonly name: string
  /** What is allowed, as the end of a sentence that starts with "expected". */
  readonly expected: string
  parse(text: string): T
  format(value: T): string
}

/** @param pattern must match the whole text; `expected` says in words what it allows. */
export function textKind(pattern: RegExp, expected: string): ValueKind<string> {
  return {
    name: 'text',
    expected,
    parse: (text) => (pattern.test(text) ? text : invalid()),
    format: (value) => value,
  }
}

/** @param synonyms other words for some of the choices. */
export function choiceKind<const C extends string>(
  choices: readonly C[],
  synonyms: Readonly<Record<string, C>> = {},
): ValueKind<C> {
  return {
    name: choices.join('|'),
    expected: `one of ${[...choices, ...Object.keys(synonyms)].join(', ')}`,
    parse: (text) =>
      choices.find((choice) => choice === text) ??
      (Object.hasOwn(synonyms, text) ? synonyms[text] : undefined) ??
      invalid(),
    format: (value) => value,
  }
}

export const booleanKind: ValueKind<boolean> = {
  name: 'true|false',
  expected: 'true or false',
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : invalid()),
  format: String,
}

export function integerKind(minimum: number, maximum: number): ValueKind<number> {
  return {
    name: 'integer',
    expected: `a whole number from ${minimum} to ${maximum}`,
    parse: (text) => within(/^[+-]?\d+$/.test(text) ? Number(text) : invalid(), minimum, maximum),
    format: String,
  }
}

const BYTES_OF: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** Sizes: "2GiB", "512 MB", "1572864". A bare number is bytes. */
export function bytesKind(minimum: number, maximum: number): ValueKind<number> {
  return {
    name: 'bytes',
    expected: `a size such as 1572864, 512KiB or 2GiB, from ${formatBytes(minimum)} to ${formatBytes(maximum)}`,
    parse: (text) => {
      const [, number = '', unit = ''] = /^([+-]?\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text) ?? invalid()
      return within(Math.floor(Number(number) * (BYTES_OF[unit.toLowerCase()] ?? invalid())), minimum, maximum)
    },
    format: formatBytes,
  }
}

/** The largest binary unit in which the number is whole. */
function formatBytes(bytes: number): string {
  const units = ['TiB', 'GiB', 'MiB', 'KiB']
  for (const [index, unit] of units.entries()) {
    const size = 2 ** (10 * (units.length - index))
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return String(bytes)
}

const MILLISECONDS_OF = { us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type DurationUnit = keyof typeof MILLISECONDS_OF

/** Durations in milliseconds: "10m", "1h30m", "500ms". A bare number counts in `bareUnit`. */
export function durationKind(bareUnit: DurationUnit, minimumMs: number, maximumMs: number): ValueKind<number> {
  const range = `from ${durationText(minimumMs)} to ${durationText(maximumMs)}`
  return {
    name: 'duration',
    expected: `a duration such as 500ms, 10s or 1h30m, ${range}; a bare number is in ${bareUnit}`,
    parse: (text) => within(parseDuration(text, bareUnit), minimumMs, maximumMs),
    format: durationText,
  }
}

function parseDuration(text: string, bareUnit: DurationUnit): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * MILLISECONDS_OF[bareUnit]
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h|d))+$/.test(text)) return invalid()
  let total = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g)) {
    total += Number(number) * MILLISECONDS_OF[unit as DurationUnit]
  }
  return total
}

/** As `durationKind` reads it: "1h30m"; a fraction of a millisecond stays a fraction. */
export function durationText(milliseconds: number): string {
  if (milliseconds === 0) return '0s'
  let rest = milliseconds
  let text = ''
  for (const unit of ['h', 'm', 's'] as const) {
    const count = Math.floor(rest / MILLISECONDS_OF[unit])
    if (count > 0) text += `${count}${unit}`
    rest -= count * MILLISECONDS_OF[unit]
  }
  return rest > 0 ? `${text}${rest}ms` : text
}

/**
 * A duration or a number of revisions, by the mode of automatic compaction; that the two fit is checked in resolve.ts.
 */
export const retentionKind: ValueKind<string> = {
  name: 'duration|integer',
  expected: 'a duration such as 10m or 1h, or a whole number',
  parse: (text) => {
    parseDuration(text, 'h')
    return text
  },
  format: (value) => value,
}

/** Milliseconds of a retention in mode periodic. */
export function retentionMs(retention: string): number {
  return parseDuration(retention, 'h')
}

/** URLs to bind. */
export const listenUrlsKind: ValueKind<readonly ClientUrl[]> = {
  name: 'URLs',
  expected: 'a comma-separated list of http://HOST:PORT or https://HOST:PORT',
  parse: parseUrls,
  format: formatUrls,
}

/** As `listenUrlsKind`; the empty text is the empty list. */
export const optionalUrlsKind: ValueKind<readonly ClientUrl[]> = {
  ...listenUrlsKind,
  parse: (text) => (text === '' ? [] : parseUrls(text)),
}

function formatUrls(urls: readonly ClientUrl[]): string {
  return urls.map((url) => url.href).join(',')
}

function within(value: number, minimum: number, maximum: number): number {
  return value >= minimum && value <= maximum ? value : invalid()
}

function invalid(reason = ''): never {
  throw new InvalidValue(reason)
}
