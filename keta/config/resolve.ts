/**
 * From everything that was said to one configuration: flag before environment before file before default. Every problem
 * of a start is found and reported at once, each with the place where it stands, the value and what is allowed.
 */
import { type CommandName, readCommandLine } from './command-line.ts'
import { configFileOf, type Environment, readEnvironment } from './environment.ts'
import { type FileFormat, formatOf, readConfigFile } from './file.ts'
import { asksForSomething, findForeign, FOREIGN_OPTIONS } from './foreign-options.ts'
import { InvalidValue } from './invalid-value.ts'
import { nearest } from './nearest.ts'
import { allOptions, type Config, type Option, type OptionKey, OPTIONS } from './options.ts'
import type { Problem, Reading, Setting } from './setting.ts'

/** What stands for the value of a secret wherever settings are printed. */
export const MASK = '***'

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

/** @param readings by precedence, the strongest first. */
export function resolve(
  readings: readonly Reading[],
  format: FileFormat | undefined,
): Pick<Invocation, 'resolved' | 'problems' | 'warnings'> {
  const problems = readings.flatMap((reading) => reading.problems)
  const warnings = readings.flatMap((reading) => reading.warnings)
  const foreign = readings.flatMap((reading) => judgeOthers(reading.settings, format, problems))
  warnings.push(...describeIgnored(foreign))

  const values: Partial<Record<OptionKey, unknown>> = {}
  const effective: EffectiveOption[] = []
  for (const [key, option] of allOptions()) {
    const chosen = readings.map((reading) => chooseSetting(option, reading.settings, format, problems)).find(Boolean)
    const outcome = valueOf(option, chosen, format, values)
    if (typeof outcome === 'string') {
      problems.push(outcome)
      continue
    }
    values[key] = outcome.value
    const text = option.kind.format(outcome.value)
    effective.push({ flag: option.flag, value: option.secret === true ? MASK : text, source: outcome.source })
  }
  if (!retentionFitsMode(values as Partial<Config>)) {
    problems.push(
      'auto-compaction-retention: expected a whole number of revisions, because auto-compaction-mode is revision',
    )
  }
  // Every key has got a value of its kind unless there is a problem.
  const resolved = problems.length === 0 ? { config: values as unknown as Config, effective, warnings } : undefined
  return { resolved, problems, warnings }
}

function retentionFitsMode({ autoCompactionMode: mode, autoCompactionRetention: retention }: Partial<Config>): boolean {
  return mode !== 'revision' || retention === undefined || /^\d+$/.test(retention)
}

/** The text that the default has where nothing was set. */
function defaultOf(option: Option<unknown>, format: FileFormat | undefined, name: unknown): string {
  const text = format === 'properties' ? (option.propertiesDefault ?? option.default) : option.default
  return text.replace('${name}', String(name))
}

function valueOf(
  option: Option<unknown>,
  chosen: Setting | undefined,
  format: FileFormat | undefined,
  values: Partial<Record<OptionKey, unknown>>,
): { readonly value: unknown; readonly source: string } | Problem {
  const text = chosen?.value ?? defaultOf(option, format, values.name ?? OPTIONS.name.default)
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
  if (setting === undefined) return `default of --${flag}`
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
  return [option.flag, ...(option.flagAliases ?? [])]
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
    const name = setting.source === 'file' ? `${setting.name} (${setting.where})` : setting.where
    byReason.set(reason, [...(byReason.get(reason) ?? []), name])
  }
  return [...byReason].map(([reason, names]) => `no effect: ${names.join(', ')}: ${reason}`)
}
