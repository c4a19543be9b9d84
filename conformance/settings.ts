/** How a run is to be done: by its options, else by the environment, else by default. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConformanceCase } from './kit/case.ts'
import { freshSeed } from './kit/seeded.ts'

export interface ConformanceOptions {
  /** Other cases than the catalogue, of whatever is built on the SPI. */
  readonly cases?: readonly ConformanceCase[]
  /** Ids of the cases to run. Else `KETA_CASES`, separated by commas; default: all. */
  readonly only?: readonly string[]
  /** Else `KETA_SCALE`; default `quick`. `full` runs several times as many rounds, clients and keys. */
  readonly scale?: 'quick' | 'full'
  /** Of all chance in the cases. Else `KETA_SEED`; default: a fresh one. */
  readonly seed?: string
  /** How many cases run side by side. Default 4. */
  readonly concurrency?: number
  /** Where histories of failed cases are saved. Else `KETA_CONFORMANCE_HISTORY`; default: below the temporary one. */
  readonly historyFolder?: string
  /** Where the report is written. Else `KETA_CONFORMANCE_REPORT`; default: nowhere. */
  readonly reportFolder?: string
  /** What a case may take if it does not ask for more, milliseconds. Default 30 000. */
  readonly caseLimitMs?: number
}

export interface Settings {
  readonly only: readonly string[] | undefined
  readonly scale: 'quick' | 'full'
  readonly seed: string
  readonly concurrency: number
  readonly historyFolder: string
  readonly reportFolder: string | undefined
  readonly caseLimitMs: number | undefined
}

const CONCURRENCY = 4

/** @throws Error for a scale that does not exist. */
export function readSettings(
  options: ConformanceOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const said = (name: string) => (environment[name] === '' ? undefined : environment[name])
  return {
    only:
      options.only ??
      said('KETA_CASES')
        ?.split(',')
        .map((id) => id.trim()),
    scale: options.scale ?? scaleOf(said('KETA_SCALE')),
    seed: options.seed ?? said('KETA_SEED') ?? freshSeed(),
    concurrency: options.concurrency ?? CONCURRENCY,
    historyFolder: options.historyFolder ?? said('KETA_CONFORMANCE_HISTORY') ?? join(tmpdir(), 'keta-conformance'),
    reportFolder: options.reportFolder ?? said('KETA_CONFORMANCE_REPORT'),
    caseLimitMs: options.caseLimitMs,
  }
}

function scaleOf(text: string | undefined): 'quick' | 'full' {
  if (text === undefined || text === 'quick' || text === 'full') return text ?? 'quick'
  throw new Error(`KETA_SCALE is ${text}; it can be quick or full`)
}

/** How to see just that case again. */
export function rerunHint(id: string, { seed, scale }: Pick<Settings, 'seed' | 'scale'>): string {
  const full = scale === 'full' ? 'KETA_SCALE=full ' : ''
  return `${full}KETA_SEED=${seed} KETA_CASES=${id} with the same command runs just this case again`
}
