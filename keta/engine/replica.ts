/**
 * What every node of a cluster has, whoever leads: the state, brought forward record by record in log order, with the
 * watchers who are told (Put ⑦), the memory that is given back, and whoever waits for a place in the log.
 */
import type { StateBacking } from '../backing/backing.ts'
import type { Authored } from '../command/author.ts'
import type { Command } from '../command/command.ts'
import type { Applied, LogPosition } from '../state/state.ts'
import type { StateMachine } from '../state/state-machine.ts'
import { WatchHub } from '../watch/watch-hub.ts'
import type { EngineObserver } from './observer.ts'
import type { Clock } from './ports.ts'
import { Quota } from './quota.ts'
import { Scrubber } from './scrubber.ts'
import { SimpleTokens } from './simple-tokens.ts'
import { WatchDriver } from './watch-driver.ts'

export interface ReplicaOptions {
  readonly state: StateMachine
  readonly clock: Clock
  readonly quotaBytes: number
  readonly progressNotifyIntervalMs: number
  readonly simpleTokenTtlMs?: number
  readonly backing: StateBacking
  readonly observer: EngineObserver
  /** So many bytes of records were applied. */
  readonly onGrowth: (bytes: number) => void
}

const DEFAULT_TOKEN_TTL_MS = 300_000

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
}

export class Replica {
  readonly state: StateMachine
  readonly hub: WatchHub
  readonly quota: Quota
  readonly scrubber: Scrubber
  /** Given out since this process has caught up with the log. */
  readonly tokens: SimpleTokens
  readonly #watchDriver: WatchDriver
  readonly #backing: StateBacking
  readonly #observer: EngineObserver
  readonly #onGrowth: (bytes: number) => void
  /** In no particular order. */
  #waiters: Waiter[] = []

  constructor(options: ReplicaOptions) {
    const { state, clock } = options
    this.state = state
    this.quota = new Quota(options.quotaBytes, () => state.store.allocatedBytes)
    this.hub = new WatchHub(state.store, () => this.#watchDriver.catchUpPending())
    this.#watchDriver = new WatchDriver(clock, this.hub, options.progressNotifyIntervalMs)
    this.scrubber = new Scrubber(clock, state.store)
    this.tokens = new SimpleTokens(clock, options.simpleTokenTtlMs ?? DEFAULT_TOKEN_TTL_MS)
    this.#backing = options.backing
    this.#observer = options.observer
    this.#onGrowth = options.onGrowth
  }

  get position(): LogPosition {
    return this.state.position
  }

  /**
   * Applies the record at `offset`, which lies above everything applied; the watchers are told of what it did.
   * @param decoded what the record says, if the caller made it.
   * @throws as StateMachine.apply: then the node must stop.
   */
  apply(offset: number, bytes: Uint8Array, decoded?: Authored<Command>): Applied {
    const applied = this.state.apply(offset, bytes, decoded)
    if (applied.status === 'applied' && applied.failure === undefined) {
      if (applied.command.kind === 'compact') this.scrubber.wake()
      if (applied.commit !== undefined) this.hub.publish(applied.commit)
      if (applied.command.kind === 'auth') this.tokens.applied(applied.command.change, offset)
    }
    this.#observer.applied(applied)
    this.#onGrowth(bytes.length)
    if (this.#waiters.length > 0) this.#release(offset)
    return applied
  }

  /** What to wait for before more is applied, if anything: the store behind the state does not keep up. */
  ready(): Promise<void> | undefined {
    return this.#backing.ready()
  }

  /** Resolves when everything up to and including `offset` has been applied; never, if that does not come. */
  reached(offset: number): Promise<void> {
    if (this.position.offset >= offset) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiters.push({ offset, resolve })
    })
  }

  stop(): void {
    this.#watchDriver.stop()
    this.scrubber.stop()
  }

  #release(offset: number): void {
    const due = this.#waiters.filter((waiter) => waiter.offset <= offset)
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => waiter.offset > offset)
    for (const { resolve } of due) resolve()
  }
}
