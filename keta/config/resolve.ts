/**
 * From everything that was said to one configuration: flag before environment before file before default. Every problem
 * of a start is found and reported at once, each with the place where it stands, the value and what is allowed.
 */
import { type CommandName, readCommandLine } from './command-line.ts'
import { configFileOf, type Environment, readEnvironment } from './environment.ts'
import { crossChecks } from './cross-checks.ts'
import { defaultOf } from './defaults.ts'
import { gatherEntries } from './entries.ts'
import { type FileFormat, formatOf, readConfigFile } from './file.ts'
import { asksForSomething, findForeign, FOREIGN_OPTIONS } from './foreign-options.ts'
import { type ReadFile, readWholeFile } from './files.ts'
import { InvalidValue } from './invalid-value.ts'
import { tlsSettings } from './kafka-tls.ts'
import { nearest } from './nearest.ts'
import { MASK, type Option, propertyName } from './option.ts'
import { allOptions, type Config, type OptionKey, OPTIONS } from './options.ts'
import type { Wording } from './rule.ts'
import type { Problem, Reading, Setting } from './setting.ts'
import { readTlsFiles } from './tls-files.ts'

export interface EffectiveOption {
  readonly flag: string
  /** As text; masked if secret. */
  readonly value: string
  /** "default", or where it was set. */
  readonly source: string
}

export interface Resolved {
  readonly config: Config
  readonly effective: readonly EffectiveOption[]
  readonly warnings: readonly string[]
}

/** What the process was asked to do. `resolved` is undefined iff there are problems. */
export interface Invocation {
  readonly command: CommandName
  readonly resolved: Resolved | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
}

/** Reads command line, environment and the file that they name. Never throws for what a user wrote. */
export function readInvocation(words: readonly string[], environment: Environment): Invocation {
  const line = readCommandLine(words)
  const path = line.file ?? configFileOf(environment)
  const fromFile: Reading = path === undefined ? { settings: [], problems: [], warnings: [] } : readConfigFile(path)
  return {
    command: line.command,
    ...resolve([line, readEnvironment(environment), fromFile], path === undefined ? undefined : formatOf(path)),
  }
}

/**
 * @param given by precedence, the strongest first.
 * @param readFile reads what the options name: certificates, keys.
 */
export function resolve(
  given: readonly Reading[],
  format: FileFormat | undefined,
  readFile: ReadFile = readWholeFile,
): Pick<Invocation, 'resolved' | 'problems' | 'warnings'> {
  const readings = given.map((reading) => ({ ...reading, settings: gatherEntries(reading.settings, format) }))
  const problems = readings.flatMap((reading) => reading.problems)
  const warnings = readings.flatMap((reading) => reading.warnings)
  const foreign = readings.flatMap((reading) => judgeOthers(reading.settings, format, problems))
  warnings.push(...describeIgnored(foreign))

  const values: Partial<Record<OptionKey, unknown>> = {}
  const chosenOf = new Map<OptionKey, Setting>()
  const altered = new Set<OptionKey>()
  const texts = new Map<string, string>()
  const effective: EffectiveOption[] = []
  for (const [key, option] of allOptions()) {
    const chosen = readings.map((reading) => chooseSetting(option, reading.settings, format, problems)).find(Boolean)
    if (chosen !== undefined) chosenOf.set(key, chosen)
    const byDefault = defaultOf(option, format, texts)
    const written = textOf(option, chosen, byDefault)
    if (written !== byDefault) altered.add(key)
    const outcome = valueOf(option, chosen, written)
    if (typeof outcome === 'string') {
      problems.push(outcome)
      continue
    }
    values[key] = outcome.value
    const remark = option.remark?.(written)
    if (remark !== undefined) warnings.push(`${placeOf(chosen, option.flag)}: ${remark}`)
    const text = option.kind.format(outcome.value)
    texts.set(option.flag, text)
    const shown = option.secret === true && text !== '' ? MASK : text
    effective.push({ flag: option.flag, value: shown, source: outcome.source })
  }
  const wording = wordingFor(chosenOf, altered, format)
  const findings = crossChecks(values as Partial<Config>, wording)
  warnings.push(...findings.warnings)
  problems.push(...findings.problems)
  // Every key has got a value of its kind unless there is a problem.
  const config = values as unknown as Config
  if (problems.length === 0) {
    const found = [...tlsSettings(config, readFile).problems, ...readTlsFiles(config, readFile).problems]
    problems.push(...found.map(({ key, problem }) => `${wording.at(key)}: ${problem}`))
  }
  const resolved = problems.length === 0 ? { config, effective, warnings } : undefined
  return { resolved, problems, warnings }
}

function wordingFor(
  chosenOf: ReadonlyMap<OptionKey, Setting>,
  altered: ReadonlySet<OptionKey>,
  format: FileFormat | undefined,
): Wording {
  const unset = (key: OptionKey): string => {
    const option: Option<unknown> = OPTIONS[key]
    return format === 'properties' ? propertyName(option) : option.flag
  }
  return {
    at: (key) => placeOf(chosenOf.get(key), unset(key)),
    name: (key) => {
      const chosen = chosenOf.get(key)
      return chosen === undefined ? unset(key) : mention(chosen)
    },
    isAltered: (key) => altered.has(key),
  }
}

/** "--max-txn-ops", "max-txn-ops (keta.yaml:3)", "KETA_MAX_TXN_OPS". */
function mention(setting: Setting): string {
  return setting.source === 'file' ? `${setting.name} (${setting.where})` : setting.where
}

/** A sample file shows the default, which may stand for a text that depends on other options. */
function textOf(option: Option<unknown>, chosen: Setting | undefined, byDefault: string): string {
  return chosen === undefined || chosen.value === option.default ? byDefault : chosen.value
}

function valueOf(
  option: Option<unknown>,
  chosen: Setting | undefined,
  text: string,
): { readonly value: unknown; readonly source: string } | Problem {
  try {
    return { value: option.kind.parse(text), source: chosen?.where ?? 'default' }
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error
    const said = error.message === '' ? JSON.stringify(option.secret === true ? MASK : text) : error.message
    return `${placeOf(chosen, option.flag)}: ${said}; expected ${option.kind.expected}`
  }
}

/** "--max-txn-ops", "keta.yaml:3: max-txn-ops", "KETA_MAX_TXN_OPS". */
function placeOf(setting: Setting | undefined, flag: string): string {
  if (setting === undefined) return flag
  return setting.source === 'file' ? `${setting.where}: ${setting.name}` : setting.where
}

/** The setting of one source for an option; the last one if the command line repeats it. */
function chooseSetting(
  option: Option<unknown>,
  settings: readonly Setting[],
  format: FileFormat | undefined,
  problems: Problem[],
): Setting | undefined {
  const given = settings.filter((setting) => namesOf(option, setting.source, format).includes(setting.name))
  const [first, second] = given
  if (first?.source === 'file' && second !== undefined) {
    problems.push(
      `${second.where}: ${second.name} and ${first.name} (${first.where}) mean the same option; keep one of them`,
    )
  }
  return given.at(-1)
}

function namesOf(
  option: Option<unknown>,
  source: Setting['source'],
  format: FileFormat | undefined,
): readonly string[] {
  if (source === 'env') return [option.flag]
  if (source === 'file' && format === 'properties' && option.property !== undefined)
    return [option.flag, option.property]
  const aliases = option.flagAliases ?? []
  return source === 'file' && option.etcdKey !== undefined
    ? [option.flag, ...aliases, option.etcdKey]
    : [option.flag, ...aliases]
}

interface Ignored {
  readonly setting: Setting
  readonly reason: string
}

/** Settings that are not options: unknown names and refused ones become problems, the meaningless ones are returned. */
function judgeOthers(
  settings: readonly Setting[],
  format: FileFormat | undefined,
  problems: Problem[],
): readonly Ignored[] {
  const ignored: Ignored[] = []
  for (const setting of settings) {
    if (allOptions().some(([, option]) => namesOf(option, setting.source, format).includes(setting.name))) continue
    const foreign = findForeign(setting.name)
    const place = placeOf(setting, setting.name)
    if (foreign === undefined) problems.push(unknownName(setting, format))
    else if (!asksForSomething(foreign, setting.value)) continue
    else if (foreign.treatment === 'refused') problems.push(`${place}: ${foreign.reason}`)
    else ignored.push({ setting, reason: foreign.reason })
  }
  return ignored
}

function unknownName(setting: Setting, format: FileFormat | undefined): Problem {
  const names = allOptions().flatMap(([, option]) => namesOf(option, setting.source, format))
  const others = FOREIGN_OPTIONS.map((option) => option.name).filter((name) => !name.endsWith('*'))
  const meant = nearest(setting.name, names) ?? nearest(setting.name, others)
  const dashes = setting.source === 'flag' ? '--' : ''
  const hint = meant === undefined ? 'keta --help lists all' : `did you mean ${dashes}${meant}?`
  const what = setting.source === 'flag' ? `${setting.where}: unknown flag` : `${placeOf(setting, '')}: unknown key`
  return `${what}; ${hint}`
}

/** One warning per reason, with all the names that it is about. */
function describeIgnored(ignored: readonly Ignored[]): readonly string[] {
  const byReason = new Map<string, string[]>()
  for (const { setting, reason } of ignored) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), mention(setting)])
  }
  return [...byReason].map(([reason, names]) => `no effect: ${names.join(', ')}: ${reason}`)
}
