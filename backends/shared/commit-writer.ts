/**
 * Commits through lost replies and lost sessions: what a caller is told has happened has happened, once, and what may
 * still happen is said to be unknown.
 */
import { CoordinationError, isCoordinationError } from '../../spi/index.ts'
import { backoffMs, sleep } from '../../spi/helpers/backoff.ts'
import type { Call, Commit, CommitOutcome } from './driver.ts'
import type { About, Kernel, LiveSession, Progress } from './kernel.ts'
import { WriteSlots } from './write-slots.ts'

/** A commit that has no name yet. */
export type Writing = Omit<Commit, 'id'>

/** The reply is missing, and the store may know. */
const ASKABLE: ReadonlySet<string> = new Set(['CONNECTION', 'TIMEOUT', 'OVERLOADED', 'SESSION_LOST'])

export class CommitWriter {
  readonly #kernel: Kernel
  #slots = new WriteSlots('')

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  /** Within `Calls.steps`, whose limits and progress these are. */
  async write(about: About, writing: Writing, call: Call, progress: Progress): Promise<CommitOutcome> {
    const { clock, random } = this.#kernel.context
    for (let round = 1, losses = 0; ; round++) {
      const session = await this.#session(about, call)
      try {
        const outcome = await new Attempt(this.#kernel, about, writing, this.#slotsOf(session)).run(call, progress)
        if (outcome !== 'never') return outcome
      } catch (error) {
        if (!isCoordinationError(error, 'SESSION_LOST') || error.effect !== 'none') throw error
        this.#kernel.sessions.reportGone(session)
        losses++
        if (losses > 1) throw error
      }
      await sleep(clock, backoffMs(round, random), call.signal)
    }
  }

  async #session(about: About, { signal }: Call): Promise<LiveSession> {
    const { sessions, calls } = this.#kernel
    return sessions.live ?? calls.wait(about, { signal }, sessions.next())
  }

  #slotsOf({ id }: LiveSession): WriteSlots {
    if (this.#slots.session !== id) this.#slots = new WriteSlots(id)
    return this.#slots
  }
}

/** One commit under one name, until it is known what became of it. */
class Attempt {
  readonly #kernel: Kernel
  readonly #about: About
  readonly #slots: WriteSlots
  readonly #commit: Commit

  constructor(kernel: Kernel, about: About, writing: Writing, slots: WriteSlots) {
    this.#kernel = kernel
    this.#about = about
    this.#slots = slots
    this.#commit = { ...writing, id: slots.acquire() }
  }

  async run(call: Call, progress: Progress): Promise<CommitOutcome | 'never'> {
    try {
      const outcome = (await this.#send(call, progress)) ?? (await this.#ask(call))
      this.#settled(outcome)
      progress.effect = 'none'
      return outcome
    } catch (error) {
      if (progress.effect === 'none') this.#slots.release(this.#commit.id, { committed: false })
      else if (call.signal.aborted) this.#findOutLater()
      throw error
    }
  }

  /** undefined: there was no reply. */
  async #send(call: Call, progress: Progress): Promise<CommitOutcome | undefined> {
    const { calls, driver } = this.#kernel
    try {
      return await calls.run(this.#about, { signal: call.signal, timeoutMs: Infinity }, async ({ signal }) => {
        progress.effect = 'unknown'
        try {
          return await driver.commit(this.#commit, { signal, timeoutMs: call.timeoutMs })
        } catch (error) {
          if (isCoordinationError(error)) {
            progress.effect = error.effect
            progress.lastError = error
          }
          throw error
        }
      })
    } catch (error) {
      if (call.signal.aborted || progress.effect === 'none') throw error
      if (isCoordinationError(error) && ASKABLE.has(error.code)) return undefined
      throw error
    }
  }

  async #ask(call: Call): Promise<CommitOutcome | 'never'> {
    const { calls, driver } = this.#kernel
    try {
      return await calls.repeat(this.#about, { signal: call.signal, timeoutMs: Infinity }, ({ signal }) =>
        driver.outcomeOf(this.#commit, { signal, timeoutMs: call.timeoutMs }),
      )
    } catch (error) {
      if (call.signal.aborted || !isCoordinationError(error)) throw error
      const message = `whether it was committed cannot be found out: ${error.message}`
      const { backend, key } = error
      throw new CoordinationError(error.code, message, {
        backend,
        effect: 'unknown',
        cause: error,
        ...(key !== undefined && { key }),
      })
    }
  }

  #settled(outcome: CommitOutcome | 'never'): void {
    if (outcome !== 'never') this.#slots.release(this.#commit.id, outcome)
  }

  /** Nobody waits any more, but the slot would be lost, and the request might still take effect much later. */
  #findOutLater(): void {
    const { calls, driver, context, closing } = this.#kernel
    calls
      .repeat(this.#about, undefined, (call) => driver.outcomeOf(this.#commit, call))
      .then(
        (outcome) => this.#settled(outcome),
        (error: unknown) => {
          // closing ends the session, and with it the slot and the request
          if (closing.aborted) return
          const why = error instanceof Error ? error.message : String(error)
          context.logger.debug(`what became of an abandoned write is not known: ${why}`, { id: this.#commit.id })
        },
      )
  }
}
