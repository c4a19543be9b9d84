/** The duties of a partition's leader in one leader epoch: taking records, acknowledging them, keeping the in-sync set. */
import { isCoordinationError, type Storage, type Version } from 'keta/spi'
import { afterFetch, grownIsr, highWatermark, type Leading, type Progress, shrunkIsr } from '../core/in-sync.ts'
import { decodeState, encodeState, type PartitionState, type TopicPartition } from '../core/metadata.ts'
import { statePath } from '../core/paths.ts'
import { BrokerError } from '../errors.ts'
import type { PartitionLog } from '../log/partition-log.ts'

/** What a leader needs of the broker. */
export interface LeaderPorts {
  readonly me: number
  readonly storage: Pick<Storage, 'update' | 'fetchEntry'>
  /** A follower that has not had all records for so long is not in sync. Milliseconds. */
  readonly maxLagMs: number
  readonly now: () => number
  /** The brokers that are there. */
  readonly live: () => ReadonlySet<number>
  /** There may be something to read, or to do. */
  readonly changed: () => void
  /** The store does not have what this leader thought. */
  readonly stale: (topic: string) => void
}

export interface Reign {
  readonly state: PartitionState
  readonly version: Version
  readonly replicas: readonly number[]
  readonly removing: readonly number[]
  readonly highWatermark: number
}

interface Waiting {
  /** Acknowledged when the high watermark has come this far. */
  readonly end: number
  readonly minInSync: number
  /** Without an error: it is acknowledged. */
  readonly answer: (error?: BrokerError) => void
}

export class Leader {
  readonly epoch: number
  readonly #of: TopicPartition & { readonly log: PartitionLog }
  readonly #ports: LeaderPorts
  readonly #controllerEpoch: number
  readonly #epochStart: number
  readonly #followers = new Map<number, Progress>()
  #replicas: readonly number[]
  #removing: readonly number[]
  #isr: readonly number[]
  #version: Version
  #unsettled: (readonly number[])[] = []
  #highWatermark: number
  #waiting: Waiting[] = []
  #isWriting = false
  #isOver = false

  constructor(of: TopicPartition & { readonly log: PartitionLog }, reign: Reign, ports: LeaderPorts) {
    const { state, version, replicas, removing } = reign
    this.#of = of
    this.#ports = ports
    this.epoch = state.leaderEpoch
    this.#controllerEpoch = state.controllerEpoch
    this.#epochStart = of.log.endOffset
    this.#isr = state.isr
    this.#version = version
    this.#replicas = replicas
    this.#removing = removing
    this.#highWatermark = reign.highWatermark
    // all get the time to come
    for (const id of replicas) this.#followers.set(id, { endOffset: 0, caughtUpAt: ports.now() })
    this.#advance()
  }

  get isr(): readonly number[] {
    return this.#isr
  }

  /** It has learnt that there is another, and not yet who. */
  get isOver(): boolean {
    return this.#isOver
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Until then its predecessor may have shown more to consumers than this one would. */
  get knowsHighWatermark(): boolean {
    return this.#highWatermark >= this.#epochStart
  }

  setReplicas(replicas: readonly number[], removing: readonly number[]): void {
    this.#replicas = replicas
    this.#removing = removing
    for (const id of replicas) {
      if (!this.#followers.has(id)) this.#followers.set(id, { endOffset: 0, caughtUpAt: this.#ports.now() })
    }
  }

  /**
   * @returns the offset of the first record, once all are in the logs of all that are in sync.
   * @throws BrokerError NOT_ENOUGH_REPLICAS; NOT_LEADER or REQUEST_TIMED_OUT of records that are in the log, and may be
   * kept or lost.
   */
  async produce(records: readonly Uint8Array[], minInSync: number, timeoutMs: number): Promise<number> {
    this.#checkInSync(minInSync)
    const baseOffset = this.#of.log.append(records, this.epoch)
    const acknowledged = this.#acknowledgement(this.#of.log.endOffset, minInSync, timeoutMs)
    this.#advance()
    this.#ports.changed()
    await acknowledged
    return baseOffset
  }

  /** A follower asks for what comes from `offset` on, so it has all before. */
  fetchedBy(replica: number, offset: number): void {
    const before = this.#followers.get(replica)
    if (before === undefined || !this.#replicas.includes(replica)) {
      throw new BrokerError('INVALID_REQUEST', `broker ${replica} has no replica of ${this.#of.topic}`)
    }
    const leaderEnd = this.#of.log.endOffset
    this.#followers.set(replica, afterFetch(before, { offset, leaderEnd, now: this.#ports.now() }))
    this.#advance()
    this.#maintain(() => this.#grownIsr())
  }

  /** To be called from time to time, and when a broker has gone. */
  tick(): void {
    const { now, live, maxLagMs } = this.#ports
    this.#maintain(() => shrunkIsr(this.#leading, { now: now(), maxLagMs, live: live() }) ?? this.#grownIsr())
  }

  /** Nothing is acknowledged any more. */
  end(): void {
    this.#isOver = true
    for (const { answer } of this.#waiting) answer(new BrokerError('NOT_LEADER', 'the leader has changed meanwhile'))
  }

  #grownIsr(): readonly number[] | undefined {
    const joinable = { replicas: this.#replicas, removing: this.#removing, live: this.#ports.live() }
    return grownIsr(this.#leading, joinable)
  }

  get #leading(): Leading {
    return {
      me: this.#ports.me,
      isr: this.#isr,
      unsettled: this.#unsettled,
      endOffset: this.#of.log.endOffset,
      epochStart: this.#epochStart,
      highWatermark: this.#highWatermark,
      followers: this.#followers,
    }
  }

  #acknowledgement(end: number, minInSync: number, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const answer = (error?: BrokerError) => {
        clearTimeout(limit)
        this.#waiting = this.#waiting.filter((one) => one !== waiting)
        if (error === undefined) resolve()
        else reject(error)
      }
      const waiting: Waiting = { end, minInSync, answer }
      const limit = setTimeout(() => {
        answer(new BrokerError('REQUEST_TIMED_OUT', `not in all replicas after ${timeoutMs} ms`))
      }, timeoutMs)
      this.#waiting.push(waiting)
    })
  }

  #checkInSync(minInSync: number): void {
    if (this.#isr.length >= minInSync) return
    throw new BrokerError('NOT_ENOUGH_REPLICAS', `${this.#isr.length} in sync, ${minInSync} are needed`)
  }

  #advance(): void {
    if (this.#isOver) return
    const mark = highWatermark(this.#leading)
    if (mark > this.#highWatermark) {
      this.#highWatermark = mark
      this.#ports.changed()
    }
    for (const { minInSync, answer } of this.#waiting.filter(({ end }) => end <= mark)) {
      const isEnough = this.#isr.length >= minInSync
      answer(isEnough ? undefined : new BrokerError('NOT_ENOUGH_REPLICAS', 'written, but not to enough replicas'))
    }
  }

  #maintain(change: () => readonly number[] | undefined): void {
    if (this.#isWriting || this.#isOver) return
    const isr = change()
    if (isr === undefined) return
    this.#isWriting = true
    this.#writeIsr(isr).then(
      () => this.#written(),
      () => this.#written(),
    )
  }

  #written(): void {
    this.#isWriting = false
    this.#advance()
  }

  async #writeIsr(isr: readonly number[]): Promise<void> {
    const { me, storage } = this.#ports
    const state = { controllerEpoch: this.#controllerEpoch, leader: me, leaderEpoch: this.epoch, isr }
    this.#unsettled.push(isr)
    try {
      const key = statePath(this.#of.topic, this.#of.partition)
      const version = await storage.update(key, encodeState(state), { ifVersion: this.#version })
      this.#settle(isr, version)
    } catch (error) {
      if (isCoordinationError(error) && error.effect === 'none') this.#unsettled.pop()
      if (!this.#isOver) await this.#lookAgain()
    }
  }

  /** All that was written on the version before this one can no longer take place. */
  #settle(isr: readonly number[], version: Version): void {
    this.#isr = isr
    this.#version = version
    this.#unsettled = []
    this.#ports.changed()
  }

  /** One's own write after all, or a controller's: then this is not the leader any more. */
  async #lookAgain(): Promise<void> {
    const { me, storage, stale } = this.#ports
    const entry = await storage.fetchEntry(statePath(this.#of.topic, this.#of.partition))
    if (entry?.version === this.#version) return
    const state = entry === undefined ? undefined : decodeState(entry.text)
    if (entry !== undefined && state?.leader === me && state.leaderEpoch === this.epoch) {
      this.#settle(state.isr, entry.version)
      return
    }
    this.end()
    stale(this.#of.topic)
  }
}
