/**
 * Compacts the history by itself, as etcd's --auto-compaction-mode does: `periodic` keeps what is younger than a time
 * span, `revision` keeps so many of the newest revisions. Off by default, as in etcd.
 */
import { RequestFailure } from '../command/failure.ts'
import { inBackground } from './background.ts'
import type { AutoCompaction, Clock, EngineLogger, Timer } from './ports.ts'

const HOUR_MS = 3_600_000
const REVISION_INTERVAL_MS = 300_000
/**
 * In periodic mode the revision is noted so many times per interval: the history kept is longer by at most that part.
 */
const SAMPLES_PER_INTERVAL = 10

export interface AutoCompactorPorts {
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly revision: () => number
  readonly compact: (revision: number) => Promise<unknown>
}

export class AutoCompactor {
  readonly #ports: AutoCompactorPorts
  readonly #policy: AutoCompaction
  /** Revisions noted, oldest first, one per tick. */
  #samples: number[] = []
  #lastCompaction = 0
  #timer: Timer | undefined

  constructor(ports: AutoCompactorPorts, policy: AutoCompaction) {
    this.#ports = ports
    this.#policy = policy
  }

  /** Commands can be appended from now on. */
  start(): void {
    this.#lastCompaction = this.#ports.clock.now()
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #arm(): void {
    const { mode } = this.#policy
    if (mode === 'off') return
    const delay = mode === 'revision' ? REVISION_INTERVAL_MS : this.#intervalMs() / SAMPLES_PER_INTERVAL
    this.#timer = this.#ports.clock.setTimer(delay, () => {
      const target = this.#target()
      if (target !== undefined) inBackground(this.#compact(target), 'automatic compaction', this.#ports.logger)
      this.#arm()
    })
  }

  /** The revision to compact to now, if it is time. */
  #target(): number | undefined {
    switch (this.#policy.mode) {
      case 'off':
        return undefined
      case 'revision': {
        const target = this.#ports.revision() - this.#policy.retention
        return target > 0 ? target : undefined
      }
      case 'periodic':
        return this.#periodicTarget(this.#policy.retentionMs)
    }
  }

  /** The revision of `retentionMs` ago, once per interval. */
  #periodicTarget(retentionMs: number): number | undefined {
    const { clock, revision } = this.#ports
    const wanted = Math.ceil((retentionMs * SAMPLES_PER_INTERVAL) / this.#intervalMs())
    this.#samples.push(revision())
    if (this.#samples.length <= wanted) return undefined
    const target = this.#samples[this.#samples.length - 1 - wanted]
    this.#samples = this.#samples.slice(-wanted)
    if (clock.now() - this.#lastCompaction < this.#intervalMs()) return undefined
    this.#lastCompaction = clock.now()
    return target
  }

  /** Compaction comes once per retention, but at least hourly. */
  #intervalMs(): number {
    return this.#policy.mode === 'periodic' ? Math.min(this.#policy.retentionMs, HOUR_MS) : REVISION_INTERVAL_MS
  }

  async #compact(revision: number): Promise<void> {
    const { logger, compact } = this.#ports
    try {
      await compact(revision)
      logger.info('compacted the history automatically', { revision })
    } catch (error) {
      // Nothing new since the last time, or somebody compacted further: no loss. The server is stopping: neither.
      if (error instanceof RequestFailure && (error.code === 'COMPACTED' || error.code === 'STOPPED')) return
      logger.warn('automatic compaction failed; it is tried again at the next interval', { revision, error })
    }
  }
}
