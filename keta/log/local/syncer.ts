/**
 * Chooses where an append's fdatasync runs. The way through the thread pool and back costs a lone client 0.03–0.07
 * ms, a third of the whole sync on a fast disk; on the calling thread it stops the event loop meanwhile. So: on the
 * calling thread while the disk is fast, in the pool as soon as one sync was not.
 */
import type { DiskFile } from './disk.ts'

/** The average sync must be faster than this, in ms, for the event loop to wait for it. */
const FAST_MS = 0.5
/** A sync on the calling thread that took longer, in ms, sends the next ones to the pool. */
const STALL_MS = 2
const SYNCS_AFTER_STALL = 256
/** Weight of the newest sync in the average. */
const WEIGHT = 1 / 16

export class Syncer {
  readonly #now: () => number
  /** ms; syncs begin in the pool, until the disk has shown what it can do. */
  #averageMs = 2 * FAST_MS
  #poolOnly = SYNCS_AFTER_STALL / 16

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Makes the file durable; undefined if that is done already. Rejects or throws as `DiskFile.datasync`. */
  sync(file: DiskFile): Promise<void> | undefined {
    const started = this.#now()
    if (this.#poolOnly > 0 || this.#averageMs > FAST_MS) {
      this.#poolOnly--
      return file.datasync().then(() => {
        this.#observe(started)
      })
    }
    file.datasyncNow()
    if (this.#observe(started) > STALL_MS) this.#poolOnly = SYNCS_AFTER_STALL
    return undefined
  }

  #observe(started: number): number {
    const tookMs = this.#now() - started
    this.#averageMs += (tookMs - this.#averageMs) * WEIGHT
    return tookMs
  }
}
