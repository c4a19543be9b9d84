/**
 * Put ③: group commit. Proposals that arrive while an append is in flight are appended together as the next atomic
 * batch; at most one append is in flight. So throughput grows with load, and the order of the log is the order of
 * arrival.
 */
import type { Command, CommandResponse } from '../command/command.ts'
import { RequestFailure } from '../command/failure.ts'
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
export interface Proposal {
  readonly command: Command
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

export interface ProposerPorts {
  readonly clock: Clock
  /** Makes the batch durable and applies it; rejects if either is impossible, and then the proposer stops for good. */
  readonly commit: (batch: readonly Proposal[]) => Promise<void>
  readonly onFailure: (error: Error) => void
}

export class Proposer {
  readonly #ports: ProposerPorts
  #queue: Proposal[] = []
  #queuedBytes = 0
  #inFlight: readonly Proposal[] = []
  #flushScheduled = false
  #stopped = false
  #deadlineTimer: Timer | undefined
  readonly #idleWaiters: (() => void)[] = []

  constructor(ports: ProposerPorts) {
    this.#ports = ports
  }

  /**
   * @throws RequestFailure STOPPED, TOO_MANY_REQUESTS at once; the promise rejects with TIMEOUT, or with STOPPED
   *   for what was never appended.
   */
  submit(command: Command, payload: Uint8Array): Promise<Outcome<CommandResponse>> {
    if (this.#stopped) throw new RequestFailure('STOPPED')
    if (this.#queue.length >= MAX_QUEUED_PROPOSALS || this.#queuedBytes + payload.length > MAX_QUEUED_BYTES) {
      throw new RequestFailure('TOO_MANY_REQUESTS')
    }
    return new Promise((resolve, reject) => {
      const deadline = this.#ports.clock.now() + REQUEST_TIMEOUT_MS
      this.#queue.push({ command, payload, deadline, settled: false, resolve, reject })
      this.#queuedBytes += payload.length
      this.#scheduleFlush()
      this.#armDeadline(deadline)
    })
  }

  /** Refuses what is queued, waits for the append in flight. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#deadlineTimer?.cancel()
    this.#refuseQueue()
    if (this.#inFlight.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idleWaiters.push(resolve)
      })
    }
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#inFlight.length > 0 || this.#stopped) return
    this.#flushScheduled = true
    // Requests of one turn of the event loop share a batch, also when nothing is in flight to wait for.
    this.#ports.clock.soon(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#stopped || this.#queue.length === 0) return
    const batch = this.#takeBatch()
    this.#inFlight = batch
    this.#ports.commit(batch).then(
      () => this.#batchDone(),
      (error: unknown) => this.#batchFailed(batch, error),
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

  #batchDone(): void {
    this.#becomeIdle()
    // What waited has waited for a whole append already: it goes at once.
    this.#flush()
  }

  #batchFailed(batch: readonly Proposal[], cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#stopped = true
    // The batch may be in the log or not: the clients are told that the outcome is unknown.
    for (const proposal of batch) refuse(proposal, new RequestFailure('TIMEOUT', { cause: error }))
    this.#refuseQueue()
    this.#deadlineTimer?.cancel()
    this.#becomeIdle()
    this.#ports.onFailure(error)
  }

  #becomeIdle(): void {
    this.#inFlight = []
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #refuseQueue(): void {
    for (const proposal of this.#queue.splice(0)) refuse(proposal, new RequestFailure('STOPPED'))
    this.#queuedBytes = 0
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
    for (const proposal of this.#inFlight) {
      if (proposal.deadline <= now) refuse(proposal, new RequestFailure('TIMEOUT'))
    }
    const live = this.#queue.findIndex((proposal) => proposal.deadline > now)
    const expired = this.#queue.splice(0, live < 0 ? this.#queue.length : live)
    for (const proposal of expired) {
      this.#queuedBytes -= proposal.payload.length
      refuse(proposal, new RequestFailure('TIMEOUT'))
    }
    const oldest = this.#inFlight.find((proposal) => !proposal.settled) ?? this.#queue[0]
    if (oldest !== undefined) this.#armDeadline(oldest.deadline)
  }
}
