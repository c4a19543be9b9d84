/**
 * Put ③: group commit. Proposals that arrive while an append is in flight are appended together as the next atomic
 * batch; at most one append is in flight. So throughput grows with load, and the order of the log is the order of
 * arrival. Whoever only wants to know that nobody else has taken the log over (a *barrier*: linearizable reads) travels
 * with the next batch, or brings about an empty one.
 */
import type { Author, Authored } from '../command/author.ts'
import type { Command, CommandResponse } from '../command/command.ts'
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import type { Outcome } from './api.ts'
import type { Clock, Timer } from './ports.ts'

/** How long a client waits for its answer before it is told that the outcome is unknown (etcd: 5 s + 2 elections). */
export const REQUEST_TIMEOUT_MS = 7_000

/** A batch ends when it holds so many records or bytes: it bounds the time of one apply, and fits one Kafka batch. */
const MAX_BATCH_RECORDS = 1_024
const MAX_BATCH_BYTES = 3 * 1024 * 1024

/** What may wait beyond the batch in flight; more is refused with TOO_MANY_REQUESTS. */
const MAX_QUEUED_PROPOSALS = 50_000
const MAX_QUEUED_BYTES = 256 * 1024 * 1024

/** One command on its way through the log, and whoever waits for it. */
export interface Proposal extends Authored<Command> {
  readonly payload: Uint8Array
  readonly deadline: number
  settled: boolean
  readonly resolve: (outcome: Outcome<CommandResponse>) => void
  readonly reject: (error: Error) => void
}

export function succeed(proposal: Proposal, outcome: Outcome<CommandResponse>): void {
  if (proposal.settled) return
  proposal.settled = true
  proposal.resolve(outcome)
}

export function refuse(proposal: Proposal, error: Error): void {
  if (proposal.settled) return
  proposal.settled = true
  proposal.reject(error)
}

interface Barrier {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export interface ProposerPorts {
  readonly clock: Clock
  /**
   * Makes the batch durable and applies it; an empty one is a barrier alone. Rejects if either is impossible, and then
   * the proposer stops for good.
   */
  readonly commit: (batch: readonly Proposal[]) => Promise<void>
  readonly onFailure: (error: Error) => void
  /** So many proposals were refused after they had been taken. */
  readonly onGivenUp: (proposals: number) => void
  /** How to refuse what was never appended, once no more is taken. */
  readonly closedCode: FailureCode
}

export class Proposer {
  readonly #ports: ProposerPorts
  #queue: Proposal[] = []
  #queuedBytes = 0
  #barriers: Barrier[] = []
  #inFlight: { readonly batch: readonly Proposal[]; readonly barriers: readonly Barrier[] } | undefined
  #flushScheduled = false
  #held = false
  #stopped = false
  #deadlineTimer: Timer | undefined
  readonly #idleWaiters: (() => void)[] = []

  constructor(ports: ProposerPorts) {
    this.#ports = ports
  }

  /**
   * @throws RequestFailure `closedCode`, TOO_MANY_REQUESTS at once; the promise rejects with TIMEOUT, or with
   *   `closedCode` for what was never appended.
   */
  submit(command: Command, payload: Uint8Array, author?: Author): Promise<Outcome<CommandResponse>> {
    if (this.#stopped) throw this.#closed()
    if (this.#queue.length >= MAX_QUEUED_PROPOSALS || this.#queuedBytes + payload.length > MAX_QUEUED_BYTES) {
      throw new RequestFailure('TOO_MANY_REQUESTS')
    }
    return new Promise((resolve, reject) => {
      const deadline = this.#ports.clock.now() + REQUEST_TIMEOUT_MS
      this.#queue.push({ command, author, payload, deadline, settled: false, resolve, reject })
      this.#queuedBytes += payload.length
      this.#scheduleFlush()
      this.#armDeadline(deadline)
    })
  }

  /** Taken, and not answered yet. */
  get pending(): number {
    return this.#queue.length + (this.#inFlight?.batch.length ?? 0)
  }

  /** Resolves when a record that was sent after this call is known to be valid. Rejects as `submit` does. */
  barrier(): Promise<void> {
    if (this.#stopped) return Promise.reject(this.#closed())
    return new Promise((resolve, reject) => {
      this.#barriers.push({ resolve, reject })
      this.#scheduleFlush()
    })
  }

  /** Appends nothing more until `release`; resolves when nothing is in flight. */
  async hold(): Promise<void> {
    this.#held = true
    await this.#idle()
  }

  release(): void {
    this.#held = false
    this.#flush()
  }

  /** Refuses what is queued, waits for the append in flight. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#deadlineTimer?.cancel()
    this.#refuseQueue()
    await this.#idle()
  }

  #idle(): Promise<void> {
    if (this.#inFlight === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve)
    })
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#inFlight !== undefined || this.#held || this.#stopped) return
    this.#flushScheduled = true
    // Requests of one turn of the event loop share a batch, also when nothing is in flight to wait for.
    this.#ports.clock.soon(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#stopped || this.#held || this.#inFlight !== undefined) return
    if (this.#queue.length === 0 && this.#barriers.length === 0) return
    const batch = this.#takeBatch()
    // Every barrier asked for so far: the batch is sent after the asking.
    const barriers = this.#barriers
    this.#barriers = []
    this.#inFlight = { batch, barriers }
    this.#ports.commit(batch).then(
      () => {
        for (const { resolve } of barriers) resolve()
        this.#becomeIdle()
        // What waited has waited for a whole append already: it goes at once.
        this.#flush()
      },
      (error: unknown) => this.#batchFailed(batch, barriers, error),
    )
  }

  #takeBatch(): readonly Proposal[] {
    let bytes = 0
    let count = 0
    for (const proposal of this.#queue) {
      if (count > 0 && (count >= MAX_BATCH_RECORDS || bytes + proposal.payload.length > MAX_BATCH_BYTES)) break
      bytes += proposal.payload.length
      count++
    }
    const batch = this.#queue.slice(0, count)
    this.#queue = this.#queue.slice(count)
    this.#queuedBytes -= bytes
    return batch
  }

  #batchFailed(batch: readonly Proposal[], barriers: readonly Barrier[], cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#stopped = true
    // The batch may be in the log or not: the clients are told that the outcome is unknown.
    this.#ports.onGivenUp(batch.filter(isOpen).length)
    for (const proposal of batch) refuse(proposal, new RequestFailure('TIMEOUT', { cause: error }))
    for (const { reject } of barriers) reject(this.#closed(error))
    this.#refuseQueue()
    this.#deadlineTimer?.cancel()
    this.#becomeIdle()
    this.#ports.onFailure(error)
  }

  #becomeIdle(): void {
    this.#inFlight = undefined
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #refuseQueue(): void {
    this.#ports.onGivenUp(this.#queue.length)
    for (const proposal of this.#queue.splice(0)) refuse(proposal, this.#closed())
    for (const { reject } of this.#barriers.splice(0)) reject(this.#closed())
    this.#queuedBytes = 0
  }

  #closed(cause?: Error): RequestFailure {
    return new RequestFailure(this.#ports.closedCode, { cause })
  }

  /** Arrival order is deadline order, so one timer for the oldest request serves all. */
  #armDeadline(deadline: number): void {
    if (this.#deadlineTimer !== undefined || this.#stopped) return
    const { clock } = this.#ports
    this.#deadlineTimer = clock.setTimer(Math.max(0, deadline - clock.now()), () => {
      this.#deadlineTimer = undefined
      this.#expire(clock.now())
    })
  }

  #expire(now: number): void {
    const inFlight = this.#inFlight?.batch ?? []
    const late = inFlight.filter((proposal) => isOpen(proposal) && proposal.deadline <= now)
    for (const proposal of late) refuse(proposal, new RequestFailure('TIMEOUT'))
    const live = this.#queue.findIndex((proposal) => proposal.deadline > now)
    const expired = this.#queue.splice(0, live < 0 ? this.#queue.length : live)
    this.#ports.onGivenUp(late.length + expired.length)
    for (const proposal of expired) {
      this.#queuedBytes -= proposal.payload.length
      refuse(proposal, new RequestFailure('TIMEOUT'))
    }
    const oldest = inFlight.find((proposal) => !proposal.settled) ?? this.#queue[0]
    if (oldest !== undefined) this.#armDeadline(oldest.deadline)
  }
}

function isOpen({ settled }: Proposal): boolean {
  return !settled
}
