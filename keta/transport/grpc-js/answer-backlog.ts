/**
 * What each connection has been answered and has not taken yet, in unary calls. A client may have thousands of calls
 * open, and each answer may be large: so the next requests of a connection are read and handled only when it takes
 * its answers.
 */

/** Of one connection. Enough for any honest mix of calls; a single answer may go beyond it. */
const FULL_BYTES = 16 * 1024 * 1024

interface Backlog {
  bytes: number
  readonly waiting: (() => void)[]
}

export class AnswerBacklogs {
  readonly #backlogs = new Map<string, Backlog>()

  /** Runs `step` as soon as the connection's backlog has room: now, or when answers have been taken. */
  whenRoom(peer: string, step: () => void): void {
    const backlog = this.#backlogs.get(peer)
    if (backlog === undefined || backlog.bytes < FULL_BYTES) step()
    else backlog.waiting.push(step)
  }

  answered(peer: string, bytes: number): void {
    const backlog = this.#backlogs.get(peer)
    if (backlog === undefined) this.#backlogs.set(peer, { bytes, waiting: [] })
    else backlog.bytes += bytes
  }

  /** The answer was taken, or its call is gone. */
  taken(peer: string, bytes: number): void {
    const backlog = this.#backlogs.get(peer)
    if (backlog === undefined) return
    backlog.bytes -= bytes
    while (backlog.bytes < FULL_BYTES) {
      const step = backlog.waiting.shift()
      if (step === undefined) break
      step()
    }
    if (backlog.bytes === 0 && backlog.waiting.length === 0) this.#backlogs.delete(peer)
  }
}
