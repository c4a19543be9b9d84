/**
 * The log itself, as the brokers hold it: batches land one after the other; what the replicas have is visible and
 * durable (the high watermark), what only the leader has may be lost when another broker takes over.
 */
import type { LogRecord } from '../log/log.ts'
import type { Chance } from './chance.fixture.ts'
import type { World } from './world.fixture.ts'

export interface TopicFaults {
  /** Longest time until the replicas have a batch. */
  readonly replicationMs: number
  /** Probability of a batch that takes up offsets and is never handed out. */
  readonly gaps: number
}

interface Landed {
  readonly endOffset: number
  readonly visible: (baseOffset: number) => void
  readonly baseOffset: number
}

export class Topic {
  readonly #world: World
  readonly #chance: Chance
  readonly #faults: TopicFaults
  readonly #onVisible: (record: LogRecord) => void
  /** In the order of their offsets. */
  #records: LogRecord[] = []
  #startOffset = 0
  #endOffset = 0
  #highWatermark = 0
  /** What the broker that leads now knows of the high watermark. */
  #servedHighWatermark = 0
  #leaderEpoch = 0
  /** Index of the first record that is not visible. */
  #visible = 0
  #waiting: Landed[] = []
  readonly #pollers: (() => void)[] = []

  /** @param onVisible is told of every record once, in order, when it has become durable. */
  constructor(world: World, faults: TopicFaults, onVisible: (record: LogRecord) => void) {
    this.#world = world
    this.#chance = world.chance.branch('topic')
    this.#faults = faults
    this.#onVisible = onVisible
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  /** As the leading broker tells it; the true one may be higher. */
  get highWatermark(): number {
    return this.#servedHighWatermark
  }

  /** A batch arrives. @param visible called with its place when it is durable; never if it is lost. */
  land(records: readonly Uint8Array[], visible: (baseOffset: number) => void): void {
    if (this.#chance.happens(this.#faults.gaps)) this.#endOffset += 1 + this.#chance.below(2)
    const baseOffset = this.#endOffset
    for (const bytes of records) this.#records.push({ offset: this.#endOffset++, bytes })
    this.#world.note(() => `topic: ${records.length} records land at ${baseOffset}`)
    this.#waiting.push({ baseOffset, endOffset: this.#endOffset, visible })
    this.#replicate()
  }

  /** Takes up offsets at the end, as a transaction's marker does. */
  mark(): void {
    this.#endOffset++
    this.#replicate()
  }

  /** Visible records from the offset on. */
  from(offset: number, limit: number): readonly LogRecord[] {
    const first = this.#indexOf(offset)
    const end = this.#indexOf(this.#servedHighWatermark)
    return this.#records.slice(first, Math.min(end, first + limit))
  }

  /** Calls back once, when more has become visible. */
  onMore(poller: () => void): void {
    this.#pollers.push(poller)
  }

  dropBefore(offset: number): void {
    const start = Math.min(offset, this.#highWatermark)
    if (start <= this.#startOffset) return
    const dropped = this.#indexOf(start)
    this.#records = this.#records.slice(dropped)
    this.#visible -= dropped
    this.#startOffset = start
    this.#world.note(() => `topic: begins at ${start} now`)
  }

  /**
   * Another broker that is in sync takes over: it has everything that is durable, perhaps not the rest, and does not
   * know at once how much is durable.
   */
  failOver(): void {
    this.#leaderEpoch++
    const ends = this.#waiting.map(({ endOffset }) => endOffset)
    this.#cutAt(this.#chance.pick([this.#highWatermark, ...ends]))
    this.#servedHighWatermark = Math.max(this.#startOffset, this.#highWatermark - this.#chance.below(4))
    this.#world.note(() => `topic: fails over, ends at ${this.#endOffset}, ${this.#highWatermark} durable`)
    this.#replicate()
  }

  /** A broker that was not in sync takes over: durable records are lost. Returns where the log ends now. */
  truncate(count: number): number {
    this.#leaderEpoch++
    const end = Math.max(this.#startOffset, this.#highWatermark - count)
    this.#cutAt(end)
    this.#highWatermark = Math.min(this.#highWatermark, end)
    this.#servedHighWatermark = this.#highWatermark
    this.#visible = Math.min(this.#visible, this.#records.length)
    this.#world.note(() => `topic: TRUNCATED to ${end}`)
    return end
  }

  #replicate(): void {
    const { leaderEpoch, endOffset } = { leaderEpoch: this.#leaderEpoch, endOffset: this.#endOffset }
    this.#world.schedule(this.#chance.skewed(0.2, this.#faults.replicationMs), undefined, 'replicated', () => {
      if (leaderEpoch === this.#leaderEpoch) this.#advance(endOffset)
    })
  }

  #advance(highWatermark: number): void {
    if (highWatermark <= this.#servedHighWatermark) return
    this.#highWatermark = Math.max(this.#highWatermark, highWatermark)
    this.#servedHighWatermark = highWatermark
    for (let next = this.#records[this.#visible]; next !== undefined; next = this.#records[this.#visible]) {
      if (next.offset >= this.#highWatermark) break
      this.#visible++
      this.#onVisible(next)
    }
    const durable = this.#waiting.filter(({ endOffset }) => endOffset <= highWatermark)
    this.#waiting = this.#waiting.filter(({ endOffset }) => endOffset > highWatermark)
    for (const { visible, baseOffset } of durable) visible(baseOffset)
    for (const poller of this.#pollers.splice(0)) poller()
  }

  #cutAt(end: number): void {
    this.#records.length = this.#indexOf(end)
    this.#endOffset = Math.max(end, this.#startOffset)
    // Those of a broker that leads no longer are never answered.
    this.#waiting = []
  }

  /** Of the first record at or above the offset. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#records[middle]!.offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
