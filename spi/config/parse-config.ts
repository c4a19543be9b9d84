/** Checks properties against their table, and finds everything that is wrong with them in one go. */
import { CoordinationError } from '../errors.ts'
import { type ConfigDef, type ConfigTypes, type ConfigValues, isSecret } from './config-def.ts'
import { nearest } from './nearest.ts'
import { HIDDEN, Secret } from './secret.ts'

export interface ParseOptions {
  /** Where the properties come from, for messages: `plugin.properties`. */
  readonly source?: string
  /** The line that a property stands on. */
  readonly lineOf?: (name: string) => number | undefined
  /** Names outside of the table that are somebody else's business: no warning. */
  readonly foreign?: (name: string) => boolean
}

/** What {@link checkConfig} found. Neither list ever shows a secret, or the value of an unknown name. */
export interface ConfigCheck<D extends ConfigDef> {
  /** undefined iff there are problems. */
  readonly values: ConfigValues<D> | undefined
  /** The properties without a problem. */
  readonly valid: Partial<ConfigValues<D>>
  readonly problems: readonly string[]
  /** Names that the table does not know. */
  readonly warnings: readonly string[]
}

export type RawConfig = Readonly<Record<string, string>>

type Item = ConfigDef[string]
type Value = ConfigTypes[keyof ConfigTypes]
type Parsed = { readonly value: Value | undefined } | { readonly problem: string }

/** @throws CoordinationError CONFIG with all `problems`. Warnings are dropped: see {@link checkConfig}. */
export function parseConfig<D extends ConfigDef>(def: D, raw: RawConfig, options?: ParseOptions): ConfigValues<D> {
  const { values, problems } = checkConfig(def, raw, options)
  if (values === undefined) throw configError(problems)
  return values
}

/** The values, or all the reasons why there are none. */
export function checkConfig<D extends ConfigDef>(def: D, raw: RawConfig, options: ParseOptions = {}): ConfigCheck<D> {
  const values: [string, Value | undefined][] = []
  const problems: string[] = []
  for (const [name, item] of Object.entries(def)) {
    const given = [name, ...(item.aliases ?? [])].filter((key) => Object.hasOwn(raw, key))
    const [key = name, ...others] = given
    if (others.length > 0) {
      problems.push(`${placeOf(options, key)} means the same as ${others.join(', ')}: give one of them`)
      continue
    }
    const parsed = parseItem(item, given.length > 0 ? raw[key] : undefined)
    if ('problem' in parsed) problems.push(`${placeOf(options, key)} ${parsed.problem}`)
    else values.push([name, parsed.value])
  }
  const valid = Object.fromEntries(values) as ConfigValues<D>
  return {
    values: problems.length === 0 ? valid : undefined,
    valid,
    problems,
    warnings: unknownNames(def, raw, options),
  }
}

/** One CONFIG error of many problems. */
export function configError(problems: readonly string[], cause?: unknown): CoordinationError {
  const [only] = problems
  const message =
    problems.length === 1 && only !== undefined
      ? only
      : `${problems.length} problems in the configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`
  return new CoordinationError('CONFIG', message, { problems, ...(cause !== undefined && { cause }) })
}

/**
 * The properties as they may be logged: defaults filled in, secrets hidden, and so is what the table does not know –
 * a misspelt `pasword` is a password too.
 */
export function printableConfig(def: ConfigDef, raw: RawConfig): Readonly<Record<string, string>> {
  const shown: [string, string][] = []
  for (const [name, item] of Object.entries(def)) {
    const key = [name, ...(item.aliases ?? [])].find((candidate) => Object.hasOwn(raw, candidate))
    const text = key === undefined ? item.default : raw[key]
    if (text !== undefined && text !== null) shown.push([name, isSecret(item) ? HIDDEN : text])
  }
  for (const name of Object.keys(raw)) if (!knownNames(def).has(name)) shown.push([name, HIDDEN])
  return Object.fromEntries(shown)
}

function parseItem(item: Item, given: string | undefined): Parsed {
  const text = given ?? item.default
  if (text === undefined) return { problem: 'is missing, and has no default' }
  if (text === null) return { value: undefined }
  const parsed = convert(item, text)
  if ('problem' in parsed || parsed.value === undefined) return parsed
  // the table's types tie the two together; their union does not show it
  const complaint = (item as { validate?(value: Value): string | undefined }).validate?.(parsed.value)
  if (complaint === undefined) return parsed
  return { problem: isSecret(item) ? hide(complaint, text) : `${complaint}, not ${JSON.stringify(text)}` }
}

function convert(item: Item, text: string): Parsed {
  const trimmed = text.trim()
  const refuse = (expected: string): Parsed => ({
    problem: isSecret(item) ? `must be ${expected}` : `must be ${expected}, not ${JSON.stringify(text)}`,
  })
  switch (item.type) {
    case 'string':
      return { value: trimmed }
    case 'password':
      return { value: new Secret(text) }
    case 'list':
      return {
        value: trimmed
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      }
    case 'bool':
      return /^(true|false)$/i.test(trimmed) ? { value: trimmed.toLowerCase() === 'true' } : refuse('true or false')
    case 'int': {
      const value = /^[+-]?\d+$/.test(trimmed) ? Number(trimmed) : NaN
      return Number.isSafeInteger(value) ? { value } : refuse('a whole number')
    }
  }
}

/** A validator may quote what it was given. */
function hide(complaint: string, secret: string): string {
  const trimmed = secret.trim()
  return trimmed === '' ? complaint : complaint.replaceAll(secret, HIDDEN).replaceAll(trimmed, HIDDEN)
}

function unknownNames(def: ConfigDef, raw: RawConfig, options: ParseOptions): string[] {
  const known = knownNames(def)
  return Object.keys(raw)
    .filter((name) => !known.has(name) && options.foreign?.(name) !== true)
    .map((name) => {
      const meant = nearest(name, known)
      return `${placeOf(options, name)} is unknown and ignored${meant === undefined ? '' : `; did you mean ${meant}?`}`
    })
}

function knownNames(def: ConfigDef): Set<string> {
  return new Set(Object.entries(def).flatMap(([name, { aliases = [] }]) => [name, ...aliases]))
}

/** How a message about a property begins: `plugin.properties:3: plugin.etcd.endpoints`. */
export function placeOf({ source, lineOf }: ParseOptions, name: string): string {
  const line = lineOf?.(name)
  const place = source === undefined ? '' : `${source}${line === undefined ? '' : `:${line}`}: `
  return `${place}${name}`
}
