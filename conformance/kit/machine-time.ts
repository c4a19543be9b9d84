/**
 * One clock for all processes of a run: CLOCK_MONOTONIC, which all processes of a machine share and nobody sets, moved
 * once so that it reads like CLOCK_REALTIME at the start of the run. (`performance.timeOrigin` is each process's own
 * look at a clock that may be set between two looks.)
 */

const ORIGIN_VARIABLE = 'KETA_CONFORMANCE_CLOCK_ORIGIN'

const origin = Number(process.env[ORIGIN_VARIABLE] ?? Date.now() - monotonic())

/** Milliseconds, with fractions; comparable between the suite and its agents. */
export function machineNow(): number {
  return origin + monotonic()
}

/** What a child process needs in its environment in order to have the same clock. */
export function clockEnvironment(): Readonly<Record<string, string>> {
  return { [ORIGIN_VARIABLE]: String(origin) }
}

function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
