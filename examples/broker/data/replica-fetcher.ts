/** Keeps this broker's replicas equal to those of one leader: finds out where they part, and fetches what is missing. */
import { Bell } from '../bell.ts'
import { isBrokerError } from '../errors.ts'
import type { Connection } from '../wire/connection.ts'
import type { Frame } from '../wire/frames.ts'
import type { Following, Partition } from './partition.ts'

export interface FetcherSetup {
  readonly me: number
  /** Undefined while it is not known where the leader is. */
  connection(): Connection | undefined
  /** Those that follow this leader now. */
  partitions(): readonly Partition[]
  /** It is tried again. @param isNew whether the time before it succeeded. */
  failed(error: unknown, isNew: boolean): void
}

interface Asked {
  readonly partition: Partition
  readonly following: Following
  readonly offset: number
}

const MAX_WAIT_MS = 500
const MAX_BYTES = 1024 * 1024
const PAUSE_MS = 100
const TIMEOUT_MS = 5_000

export class ReplicaFetcher {
  readonly #setup: FetcherSetup
  readonly #changed = new Bell()
  readonly #finished: Promise<void>
  #isFailing = false
  #isOver = false

  constructor(setup: FetcherSetup) {
    this.#setup = setup
    this.#finished = this.#run()
  }

  /** Other partitions, or other epochs: what is being waited for is out of date. */
  changed(): void {
    this.#changed.ring()
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#changed.ring()
    await this.#finished
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const changed = this.#changed.next(2 * TIMEOUT_MS)
      const asked = this.#setup.partitions().flatMap((partition): readonly Asked[] => {
        const { following, log } = partition
        return following === undefined ? [] : [{ partition, following, offset: log.endOffset }]
      })
      const connection = this.#setup.connection()
      if (asked.length === 0 || connection === undefined) {
        await this.#changed.next(MAX_WAIT_MS)
        continue
      }
      try {
        const hasProblems = await this.#round(connection, asked, changed)
        this.#isFailing = false
        if (hasProblems) await this.#changed.next(PAUSE_MS)
      } catch (error) {
        this.#setup.failed(error, !this.#isFailing)
        this.#isFailing = true
        await this.#changed.next(PAUSE_MS)
      }
    }
  }

  /** @returns whether some partitions could not be served; the leader may not have heard of its election yet. */
  async #round(connection: Connection, asked: readonly Asked[], changed: Promise<void>): Promise<boolean> {
    const unaligned = asked.filter(({ following }) => following.ask !== undefined)
    if (unaligned.length > 0) return this.#align(connection, unaligned)
    const header = { replica: this.#setup.me, max_wait_ms: MAX_WAIT_MS, max_bytes: MAX_BYTES, ...this.#question(asked) }
    const answer = connection.request('replica_fetch', header, undefined, TIMEOUT_MS)
    const frame = await Promise.race([answer, changed.then(() => undefined)])
    // one that comes too late is for a question that is not asked any more
    answer.catch(() => undefined)
    return frame === undefined ? false : store(asked, frame)
  }

  async #align(connection: Connection, asked: readonly Asked[]): Promise<boolean> {
    const question = this.#question(asked)
    const frame = await connection.request('offsets_for_leader_epoch', question, undefined, TIMEOUT_MS)
    const answers = frame.header['partitions'] as readonly { error?: unknown; epoch: number; end: number }[]
    let hasProblems = false
    for (const [at, { partition, following }] of asked.entries()) {
      const answer = answers[at]
      if (answer === undefined || answer.error !== undefined) hasProblems = true
      else partition.align(following, answer)
    }
    return hasProblems
  }

  #question(asked: readonly Asked[]): object {
    const partitions = asked.map(({ partition: { topic, partition }, following, offset }) => {
      return { topic, partition, leader_epoch: following.epoch, epoch: following.ask, offset }
    })
    return { partitions }
  }
}

function store(asked: readonly Asked[], { header, body }: Frame): boolean {
  const answers = header['partitions'] as readonly { error?: unknown; size: number; high_watermark: number }[]
  let hasProblems = false
  let position = 0
  for (const [at, { partition, following, offset }] of asked.entries()) {
    const answer = answers[at]
    if (answer === undefined || answer.error !== undefined) {
      hasProblems = true
      continue
    }
    const bytes = body.subarray(position, position + answer.size)
    position += answer.size
    try {
      partition.follow(following, offset, bytes, answer.high_watermark)
    } catch (error) {
      if (!isBrokerError(error, 'CORRUPT_LOG')) throw error
      hasProblems = true
    }
  }
  return hasProblems
}
