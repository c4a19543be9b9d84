/**
 * Ends the sessions of owners that have fallen silent. Every driver watches the sessions of the others: one whose beat
 * has stood still for its whole time to live, and a little more, is ended under the condition that it still does.
 *
 * Time is counted on this process's own steady clock, from the end of the read that first showed the beat. The owner
 * had sent that beat before, and gives up by itself when its time to live has passed since then; so it has given up
 * before anybody can end its session. No clock of a server decides anything.
 */
import { CLOCK_RATE_ERROR, isCoordinationError, type PluginContext } from '../../spi/index.ts'
import { sleep } from '../../spi/helpers/backoff.ts'
import type { Call } from '../shared/driver.ts'
import type { Row } from './row.ts'
import type { Sessions } from './sessions.ts'
import type { Tables } from './tables.ts'

interface Observed {
  /** undefined: none was shown. */
  beat: bigint | undefined
  /** When the read that first showed it had ended, by the steady clock. Milliseconds. */
  since: number
}

export interface ObserverOptions {
  readonly context: Pick<PluginContext, 'clock' | 'logger' | 'random' | 'sessionTimeoutMs'>
  readonly tables: Pick<Tables, 'slice'>
  readonly sessions: Pick<Sessions, 'isOwn' | 'beats' | 'endIfStill'>
  /** Milliseconds, steadily: nobody can set it. */
  readonly steadyNow?: () => number
}

/** Of the session timeout: how often it looks. */
const LOOK_PART = 1 / 8
/** For the time between the sending of a request and the reading of the clock before it, and timers' steps. */
const MARGIN_MS = 20
const MAX_SESSIONS = 10_000

export class Observer {
  readonly #options: ObserverOptions
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #observed = new Map<string, Observed>()

  constructor(options: ObserverOptions) {
    this.#options = options
    this.#now = options.steadyNow ?? (() => performance.now())
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      this.#options.context.logger.error(`nobody is observed any more: ${String(error)}`, { cause: error })
    })
  }

  close(): void {
    this.#closing.abort()
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { clock, logger, random, sessionTimeoutMs } = this.#options.context
    const isClosed = () => signal.aborted
    while (!isClosed()) {
      try {
        await this.look()
      } catch (error) {
        if (isClosed()) return
        if (!isCoordinationError(error)) throw error
        logger.debug(`the other sessions could not be looked at: ${error.message}`, { cause: error })
      }
      await sleep(clock, sessionTimeoutMs * LOOK_PART * (0.75 + random() / 2), signal).catch(() => undefined)
    }
  }

  /** Once. @throws CoordinationError */
  async look(call: Call = this.#call()): Promise<void> {
    const { tables, sessions } = this.#options
    const all = { kind: 'session', from: '', to: '\u{10ffff}' } as const
    const { rows } = await tables.slice(all, { limit: MAX_SESSIONS, keysOnly: false }, 'plain', call)
    const others = rows.filter(({ name }) => !sessions.isOwn(name))
    for (const id of this.#observed.keys()) if (!others.some(({ name }) => name === id)) this.#observed.delete(id)
    if (others.length === 0) return
    const beats = await sessions.beats(call)
    const now = this.#now()
    const still = others.filter((row) => this.#isStill(row, beats.get(row.name), now))
    await Promise.all(still.map(({ name }) => this.#end(name)))
  }

  #call(): Call {
    return { signal: this.#closing.signal, timeoutMs: this.#options.context.sessionTimeoutMs }
  }

  #isStill({ name, number = 0n }: Row, beat: bigint | undefined, now: number): boolean {
    const observed = this.#observed.get(name)
    if (observed === undefined || isNews(beat, observed.beat)) {
      this.#observed.set(name, { beat, since: now })
      return false
    }
    return now - observed.since >= Number(number) * (1 + CLOCK_RATE_ERROR) + MARGIN_MS
  }

  async #end(id: string): Promise<void> {
    const { sessions, context } = this.#options
    const ending = await sessions.endIfStill(id, this.#observed.get(id)?.beat, this.#call())
    if (ending === 'ended') {
      context.logger.debug('the session of an owner that has fallen silent was ended', { session: id })
      this.#observed.delete(id)
    } else {
      // it has been renewed, and only nobody shown: its time begins with what we have learnt now
      this.#observed.set(id, { beat: ending.beat, since: this.#now() })
    }
  }
}

/** Plain reads may go back: only a greater beat is a sign of life. */
function isNews(beat: bigint | undefined, before: bigint | undefined): boolean {
  if (beat === undefined) return false
  return before === undefined || beat > before
}
