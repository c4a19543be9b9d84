/** What `keta conformance` was asked to do. Every problem of a command line is told at once. */
import { parseArgs } from 'node:util'

export type Invocation =
  | { readonly does: 'help' }
  | { readonly does: 'list' }
  | { readonly does: 'matrix'; readonly reports: readonly string[]; readonly into: string | undefined }
  | ({ readonly does: 'run' } & RunArguments)
  | { readonly does: 'nothing'; readonly problems: readonly string[] }

export interface RunArguments {
  readonly backend: BackendArguments
  readonly only: readonly string[] | undefined
  readonly scale: 'quick' | 'full' | undefined
  readonly seed: string | undefined
  readonly reportFolder: string | undefined
}

export type BackendArguments =
  /** `file.js#export`. */
  | { readonly harness: string }
  | {
      readonly locator: string
      readonly config: string | undefined
      readonly endpoints: readonly string[]
      readonly ttlMs: number
    }

const DEFAULT_TTL_MS = 2_000

export const HELP = `Usage:
  keta conformance --locator X [--config FILE] [--endpoints HOST:PORT,…]   try a backend whose servers are running
  keta conformance --harness FILE.js#EXPORT                                 try it with all that a harness can do
  keta conformance --list                                                   print the catalogue
  keta conformance matrix REPORT.json… [--into README.md]                   compare reports of several backends

  --locator X          plugin.locator.classname: a short name, package#Export, or ./file.js#Export.
  --config FILE        plugin.properties: the plugin's own configuration.
  --endpoints E,…      Where the servers are, exactly as they stand in FILE: clients are led to them through proxies
                       that can be cut. Without it no network is cut. Certificates must then hold for 127.0.0.1.
  --ttl MS             T, the session timeout that clients ask for. [default ${DEFAULT_TTL_MS}]
  --harness FILE#X     A module that exports a BackendHarness or a function that starts one; its default export
                       without #X. Instead of the four above.
  --only S1,S2         Only these cases.
  --scale quick|full   How much is done in each case. [default quick; env KETA_SCALE]
  --seed TEXT          Of all chance, to see a run again. [default: a fresh one; env KETA_SEED]
  --report DIR         Write the report there, as JSON and Markdown. [env KETA_CONFORMANCE_REPORT]

Exit codes: 0 no case failed (cases that could not be run are listed), 1 a case failed, 2 the command line is wrong or
the backend cannot be reached.
`

const OPTIONS = {
  locator: { type: 'string' },
  config: { type: 'string' },
  endpoints: { type: 'string' },
  ttl: { type: 'string' },
  harness: { type: 'string' },
  only: { type: 'string' },
  scale: { type: 'string' },
  seed: { type: 'string' },
  report: { type: 'string' },
  into: { type: 'string' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Flags = { readonly [Name in keyof typeof OPTIONS]?: string | boolean }

/** @param words after `conformance`. Never throws. */
export function readArguments(words: readonly string[]): Invocation {
  let flags: Flags
  let positionals: string[]
  try {
    const parsed = parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true })
    flags = parsed.values
    positionals = parsed.positionals
  } catch (error) {
    return { does: 'nothing', problems: [error instanceof Error ? error.message : String(error)] }
  }
  if (flags.help === true) return { does: 'help' }
  const [command, ...rest] = positionals
  if (command === 'matrix') return readMatrix(flags, rest)
  const problems = command === undefined ? [] : [`there is no command ${command}; there is: matrix`]
  if (flags.into !== undefined) problems.push('--into belongs to: keta conformance matrix')
  if (flags.list === true && problems.length === 0) return { does: 'list' }
  const backend = readBackend(flags, problems)
  const scale = readScale(flags, problems)
  if (backend === undefined || problems.length > 0) return { does: 'nothing', problems }
  const only = textOf(flags.only)
  return {
    does: 'run',
    backend,
    scale,
    only: only === undefined ? undefined : listOf(only),
    seed: textOf(flags.seed),
    reportFolder: textOf(flags.report),
  }
}

function readMatrix(flags: Flags, reports: readonly string[]): Invocation {
  const foreign = Object.keys(flags).filter((name) => name !== 'into')
  const problems = foreign.map((name) => `--${name} has no meaning for: keta conformance matrix`)
  if (reports.length === 0)
    problems.push('matrix needs the paths of reports: keta conformance matrix etcd.json keta.json')
  if (problems.length > 0) return { does: 'nothing', problems }
  return { does: 'matrix', reports, into: textOf(flags.into) }
}

function readBackend(flags: Flags, problems: string[]): BackendArguments | undefined {
  const harness = textOf(flags.harness)
  const locator = textOf(flags.locator)
  if (harness !== undefined) {
    const others = (['locator', 'config', 'endpoints', 'ttl'] as const).filter((name) => flags[name] !== undefined)
    problems.push(...others.map((name) => `--${name} is the harness's to say: leave it out, or leave out --harness`))
    return { harness }
  }
  if (locator === undefined) {
    problems.push('which backend? Give --locator X or --harness FILE.js#EXPORT; --help says more')
    return undefined
  }
  const endpoints = listOf(textOf(flags.endpoints) ?? '')
  problems.push(
    ...endpoints.filter((endpoint) => !/^.+:\d+$/.test(endpoint)).map((one) => `--endpoints: ${one} is not HOST:PORT`),
  )
  if (endpoints.length > 0 && flags.config === undefined) {
    problems.push('--endpoints needs --config: the file in which they stand')
  }
  const ttlMs = Number(flags.ttl ?? DEFAULT_TTL_MS)
  if (!Number.isInteger(ttlMs) || ttlMs <= 0) problems.push(`--ttl must be milliseconds, not ${String(flags.ttl)}`)
  return { locator, config: textOf(flags.config), endpoints, ttlMs }
}

function readScale({ scale }: Flags, problems: string[]): 'quick' | 'full' | undefined {
  if (scale === undefined || scale === 'quick' || scale === 'full') return scale
  problems.push(`--scale can be quick or full, not ${String(scale)}`)
  return undefined
}

function textOf(flag: string | boolean | undefined): string | undefined {
  return typeof flag === 'string' ? flag : undefined
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
