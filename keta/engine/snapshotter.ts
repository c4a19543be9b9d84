/**
 * Takes snapshots of the state while requests go on. Two are kept: if the newest turns out to be damaged, the older one
 * and the log from there on still give everything.
 */
import type { SnapshotInfo, SnapshotStore } from '../log/snapshots.ts'
import type { StateMachine } from '../state/state-machine.ts'
import { inBackground } from './background.ts'
import type { EngineObserver } from './observer.ts'
import type { Clock, EngineLogger } from './ports.ts'
import type { Replayed } from './replay.ts'
import type { Scrubber } from './scrubber.ts'

export const KEPT_SNAPSHOTS = 2

export interface SnapshotterPorts {
  readonly state: StateMachine
  readonly snapshots: SnapshotStore
  readonly scrubber: Scrubber
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly observer: EngineObserver
  readonly minLogBytes: number
  /** What the start found; `snapshotBytes` is 0 if there was no usable snapshot. */
  readonly replayed: Pick<Replayed, 'snapshotBytes' | 'logBytes' | 'damagedSnapshots'>
  /** A snapshot was saved. `kept` are the sound ones, at most KEPT_SNAPSHOTS, newest first. */
  readonly onSaved: (kept: readonly SnapshotInfo[]) => Promise<void>
}

export class Snapshotter {
  readonly #ports: SnapshotterPorts
  #lastSizeBytes: number
  #bytesSince: number
  #running: Promise<void> | undefined
  #stopped = false

  constructor(ports: SnapshotterPorts) {
    this.#ports = ports
    this.#lastSizeBytes = ports.replayed.snapshotBytes
    this.#bytesSince = ports.replayed.logBytes
  }

  /** The log has grown. Half the last snapshot's size bounds write amplification (≤ 3) and replay time alike. */
  logGrew(bytes: number): void {
    this.#bytesSince += bytes
    if (this.#bytesSince < Math.max(this.#ports.minLogBytes, this.#lastSizeBytes / 2)) return
    inBackground(this.take(), 'snapshot', this.#ports.logger)
  }

  /** Takes one now, or joins the one being taken. Never rejects: a snapshot that fails costs only a longer replay. */
  take(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    this.#running ??= this.#takeOne().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Resolves when no dump is open. */
  async idle(): Promise<void> {
    await this.#running
  }

  /** Gives up a snapshot in progress. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #takeOne(): Promise<void> {
    const { state, snapshots, scrubber, clock, logger, observer } = this.#ports
    const startedAt = clock.now()
    // Also after a failure: the next attempt waits for as much new log, so that a full disk is not hammered.
    this.#bytesSince = 0
    const dump = state.dump()
    scrubber.pause()
    try {
      const saved = await snapshots.save(dump.offset, this.#untilStopped(dump.chunks))
      this.#lastSizeBytes = saved.sizeBytes
      await this.#saved()
      observer.snapshotSaved(saved.sizeBytes, clock.now() - startedAt)
      logger.info('saved snapshot', { offset: saved.offset, bytes: saved.sizeBytes })
    } catch (error) {
      if (!this.#stopped) logger.error('could not save a snapshot; the log is kept and the server goes on', { error })
    } finally {
      dump.close()
      scrubber.resume()
    }
  }

  async #saved(): Promise<void> {
    const { onSaved, snapshots, replayed } = this.#ports
    const { damagedSnapshots } = replayed
    await snapshots.prune(KEPT_SNAPSHOTS + damagedSnapshots.size)
    const kept = (await snapshots.list()).filter(({ offset }) => !damagedSnapshots.has(offset))
    await onSaved(kept.slice(0, KEPT_SNAPSHOTS))
  }

  *#untilStopped(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
    for (const chunk of chunks) {
      if (this.#stopped) throw new Error('the server is stopping')
      yield chunk
    }
  }
}
