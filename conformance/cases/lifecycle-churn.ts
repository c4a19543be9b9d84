/** Clients that come and go, and what the process still holds when the last one is gone. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCoordinationError, type PluginLocator, silentLogger } from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'

export interface ChurnArgs {
  readonly serverProperties: string
  /** Before the first measurement: what is loaded and pooled on first use is no leak. */
  readonly warmUp: number
  readonly rounds: number
  /** Go on for at least so long, milliseconds. */
  readonly forMs?: number
  /** Of each call; a start is given some more. */
  readonly timeoutMs: number
  /** Errors of the SPI are part of it: the network is being disturbed. Goes on until one was seen, see MOST_TIMES. */
  readonly disturbed: boolean
}

/** What a process holds. */
export interface Footprint {
  /** What would keep it alive, by kind. */
  readonly handles: Readonly<Record<string, number>>
  readonly heapBytes: number
}

export interface Footprints {
  readonly before: Footprint
  readonly after: Footprint
  /** Clients that were started, and calls that failed. */
  readonly started: number
  readonly failed: number
}

const START_TO_CALL = 4
/** For how many times `forMs` to wait for a call that fails: by chance disturbances may meet starts only. */
const MOST_TIMES = 5
/** By when the platform has let go of what was closed. */
const SETTLE_MS = 2_000
const SETTLED_FOR_MS = 300
const SETTLE_STEP_MS = 50

export async function churn(args: ChurnArgs): Promise<Footprints> {
  const counts = { started: 0, failed: 0 }
  await comeAndGo(args, args.warmUp, counts)
  const before = await footprint(undefined)
  const start = performance.now()
  const { forMs = 0 } = args
  const isOver = (): boolean => {
    const tookMs = performance.now() - start
    return tookMs >= forMs && (!args.disturbed || counts.failed > 0 || tookMs >= MOST_TIMES * forMs)
  }
  do await comeAndGo(args, args.rounds, counts)
  while (!isOver())
  return { before, after: await footprint(before), ...counts }
}

/** What there is more of than before: kinds of handles with their numbers. */
export function grown({ before, after }: Footprints): string[] {
  return more(before, after)
}

/** By how much the heap may grow: what comes and goes leaves compiled code and some garbage, never itself. */
export function heapLimit({ started }: Footprints): number {
  return 2_000_000 + started * 20_000
}

interface Counts {
  started: number
  failed: number
}

async function comeAndGo(args: ChurnArgs, rounds: number, counts: Counts): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await tolerant(args, counts, async () => {
      const { serverProperties, timeoutMs } = args
      const locator = await loadPlugin(
        serverProperties,
        { logger: silentLogger },
        { timeoutMs: START_TO_CALL * timeoutMs },
      )
      counts.started++
      try {
        await useEverything(args, counts, locator)
      } finally {
        await locator.shutdown()
      }
    })
  }
}

async function useEverything(args: ChurnArgs, counts: Counts, locator: PluginLocator): Promise<void> {
  const options = { timeoutMs: args.timeoutMs }
  const storage = locator.getStorage()
  const group = locator.getGroupMembership('brokers')
  const election = locator.getLeaderElection('controller')
  const calls = [
    () => locator.getListenerRegistry().addValueChangeListener('/churn', { valueChanged: () => undefined }, options),
    () => locator.getListenerRegistry().addKeySetChangeListener('/', { keySetChanged: () => undefined }, options),
    () => group.addListener({ onGroupChange: () => undefined }, options),
    () => group.join('member', 'data', { ...options, onConflict: 'takeover' }),
    () => election.nominate('candidate', options),
    () => storage.put('/churn', 'x', options),
    () => storage.fetch('/churn', options),
    () => storage.delete('/churn', options),
  ]
  for (const call of calls) await tolerant(args, counts, call)
}

async function tolerant({ disturbed }: ChurnArgs, counts: Counts, call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!disturbed || !isCoordinationError(error)) throw error
    counts.failed++
  }
}

/** @param before as soon as there is no more than this, all is closed; undefined: as soon as nothing changes. */
async function footprint(before: Footprint | undefined): Promise<Footprint> {
  let last: Footprint | undefined
  for (let waited = 0; ; waited += SETTLE_STEP_MS) {
    collectGarbage()
    const now = { handles: countHandles(), heapBytes: process.memoryUsage().heapUsed }
    const isSettled = before === undefined ? !differs(last, now) : more(before, now).length === 0
    if ((isSettled && waited >= SETTLED_FOR_MS) || waited >= SETTLE_MS) return now
    last = now
    await sleep(SETTLE_STEP_MS)
  }
}

function differs(last: Footprint | undefined, now: Footprint): boolean {
  return last === undefined || more(last, now).length > 0 || more(now, last).length > 0
}

function more(before: Footprint, after: Footprint): string[] {
  return Object.entries(after.handles)
    .filter(([kind, number]) => number > (before.handles[kind] ?? 0))
    .map(([kind, number]) => `${kind}: ${before.handles[kind] ?? 0} before, ${number} after`)
}

function countHandles(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
