/** Puts the parts of an engine together: of a node whose log is its own, or of one of a cluster. */
import type { SnapshotInfo } from '../log/snapshots.ts'
import type { OpenedEngine } from './api.ts'
import type { Authority } from './authority.ts'
import { inBackground } from './background.ts'
import { ElectedAuthority } from './elected-authority.ts'
import { KetaEngine } from './engine.ts'
import { NO_OBSERVER } from './observer.ts'
import type { ClusterEngineOptions, EngineOptions, SoleEngineOptions } from './ports.ts'
import { Replica } from './replica.ts'
import { type Replayed, replay, restore } from './replay.ts'
import { dropCovered, share } from './snapshot-retention.ts'
import { Snapshotter } from './snapshotter.ts'
import { SoleAuthority } from './sole-authority.ts'

/**
 * Replays snapshot and log, claims leadership of the log, and serves.
 * @throws LogError, LogDivergedError when the data cannot be trusted.
 */
export async function openEngine(options: SoleEngineOptions): Promise<OpenedEngine> {
  const { backing, log, snapshots, logger, clientUrls, onReplay = () => undefined } = options
  const replayed = await replay({ backing, log, snapshots, logger, onProgress: onReplay })
  const node = new Assembly(options, replayed, (kept) => dropCovered(log, kept))
  try {
    const authority = await SoleAuthority.claim({ ...node.ports(), clientUrls, log })
    node.replica.tokens.begin()
    return node.engine(authority, () => log.endOffset)
  } catch (error) {
    node.replica.stop()
    throw error
  }
}

/**
 * Restores the newest snapshot and reads the log, up to its end and then along. Resolves when it has been read; once
 * `join` was called the node may be elected.
 * @throws LogError, LogDivergedError when the data cannot be trusted.
 */
export async function openClusterEngine(options: ClusterEngineOptions): Promise<OpenedEngine> {
  const { backing, cluster, snapshots, logger, onReplay = () => undefined } = options
  const { log, sharedSnapshots } = cluster
  const restored = await restore({
    backing,
    startOffset: log.startOffset,
    stores: [snapshots, sharedSnapshots],
    logger,
    onProgress: onReplay,
  })
  const node = new Assembly(options, restored, async ([newest]) => {
    if (authority.reign !== undefined && newest !== undefined) await share(snapshots, newest, sharedSnapshots, log)
  })
  const { replica } = node
  const from = replica.position.offset + 1
  let isRead = false
  let caughtUp: () => void = () => undefined
  const read = new Promise<void>((resolve) => {
    caughtUp = resolve
  })
  const authority = new ElectedAuthority({
    ...node.ports(),
    ...cluster,
    onRead: (nextOffset, endOffset) => {
      if (isRead) return
      onReplay({ phase: 'log', done: nextOffset - from, total: Math.max(endOffset, nextOffset) - from })
      isRead = nextOffset >= endOffset
      if (isRead) caughtUp()
    },
  })
  const engine = node.engine(authority, () => log.endOffset)
  authority.leadership.follow()
  const failure = await Promise.race([read, engine.stopped])
  if (failure instanceof Error) throw failure
  replica.tokens.begin()
  return engine
}

/** What both have, made in the order in which one part needs the other. */
class Assembly {
  readonly replica: Replica
  readonly #options: EngineOptions
  readonly #snapshotter: Snapshotter
  #engine: KetaEngine | undefined

  constructor(options: EngineOptions, replayed: Replayed, onSaved: (kept: readonly SnapshotInfo[]) => Promise<void>) {
    const { logger, snapshots, clock, observer = NO_OBSERVER } = options
    const { state } = replayed
    this.#options = options
    this.replica = new Replica({ ...options, state, observer, onGrowth: (bytes) => this.#snapshotter.logGrew(bytes) })
    this.#snapshotter = new Snapshotter({
      state,
      snapshots,
      scrubber: this.replica.scrubber,
      logger,
      minLogBytes: options.snapshotLogBytes,
      clock,
      observer,
      replayed,
      onSaved,
    })
    this.replica.scrubber.wake()
  }

  /** What an authority needs. */
  ports() {
    const { autoCompaction, clock, identity, logger, random, observer = NO_OBSERVER } = this.#options
    return {
      identity,
      replica: this.replica,
      clock,
      logger,
      owner: random(16),
      reign: { autoCompaction, observer, onNoSpace: () => this.#engine?.raiseNoSpace() },
      onFailure: (error: Error) => this.#engine?.fail(error),
    }
  }

  engine(authority: Authority, endOffset: () => number): KetaEngine {
    const parts = {
      options: this.#options,
      replica: this.replica,
      snapshotter: this.#snapshotter,
      authority,
      endOffset,
    }
    const engine = new KetaEngine(parts)
    this.#engine = engine
    const ended = this.#options.backing.failed.then((error) => engine.fail(error))
    inBackground(ended, 'end of the store behind the state', this.#options.logger)
    return engine
  }
}
