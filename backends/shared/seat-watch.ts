/**
 * What the store tells of the seats of one group or service: to our claims, to whoever shows the state to listeners, and
 * to the one who clears away ghosts.
 *
 * A ghost is a seat of our live session that no claim of ours owns: the request of an aborted join, or a repeated one,
 * that came to the store late. Nobody would ever leave it, for its session lives on.
 *
 * closed ─open─▶ asked ─reset─▶ active (again after each gap); failed: closed again, all who wait for it hear why
 */
import { type Deferred, deferred } from './deferred.ts'
import type { Follow, FollowSink, Seat, Seated } from './driver.ts'
import type { Kernel } from './kernel.ts'
import { untilKnown } from './until-known.ts'

/** A claim, as the watch sees it. */
export interface Claimant {
  /** Under which the follow tells of its seat. */
  readonly name: string
  seatTold(state: Seated | undefined): void
  watchFailed(error: Error): void
}

export interface SeatWatchOptions {
  readonly kernel: Kernel
  readonly open: (sink: FollowSink<Seated>) => Follow
  /** The seat that goes by a name. */
  readonly seatOf: (name: string) => Seat
  /** The state may have changed. */
  readonly changed: () => void
}

export class SeatWatch {
  readonly #options: SeatWatchOptions
  readonly #claimants = new Set<Claimant>()
  readonly #owned = new Set<string>()
  readonly #clearing = new Set<string>()
  #follow: Follow | undefined
  #all = new Map<string, Seated>()
  #active: Deferred<void> = deferred()
  #closed = false

  constructor(options: SeatWatchOptions) {
    this.#options = options
  }

  /** As last told; empty before. */
  get all(): ReadonlyMap<string, Seated> {
    return this.#all
  }

  /** Begins unless begun. Resolves when every later change will be told. */
  open(): Promise<void> {
    if (this.#follow === undefined && !this.#closed) {
      const active: Deferred<void> = deferred()
      this.#active = active
      const follow = this.#options.open(this.#sink(active))
      this.#follow = follow
      follow.active.then(
        () => active.resolve(),
        (error: unknown) => this.#fail(active, error instanceof Error ? error : new Error(String(error))),
      )
    }
    return this.#active.promise
  }

  add(claimant: Claimant): void {
    this.#claimants.add(claimant)
  }

  remove(claimant: Claimant): void {
    this.#claimants.delete(claimant)
  }

  /** From before the request is sent. */
  own(nonce: string): void {
    this.#owned.add(nonce)
  }

  owns(nonce: string): boolean {
    return this.#owned.has(nonce)
  }

  /** What comes to light under this name from now on is a ghost. */
  disown(nonce: string): void {
    if (this.#owned.delete(nonce)) this.#clearGhosts(this.#all)
  }

  close(): void {
    this.#closed = true
    this.#follow?.close()
    this.#claimants.clear()
  }

  #sink(active: Deferred<void>): FollowSink<Seated> {
    return {
      reset: (all) => {
        this.#all = new Map(all)
        for (const claimant of [...this.#claimants]) claimant.seatTold(all.get(claimant.name))
        this.#tellOthers(all)
      },
      changed: (changes) => {
        const seated = new Map<string, Seated>()
        for (const [name, state] of changes) {
          if (state === undefined) this.#all.delete(name)
          else {
            this.#all.set(name, state)
            seated.set(name, state)
          }
        }
        for (const claimant of [...this.#claimants]) {
          if (changes.has(claimant.name)) claimant.seatTold(changes.get(claimant.name))
        }
        this.#tellOthers(seated)
      },
      failed: (error) => this.#fail(active, error),
    }
  }

  #tellOthers(seated: ReadonlyMap<string, Seated>): void {
    this.#clearGhosts(seated)
    this.#options.changed()
  }

  #fail(active: Deferred<void>, error: Error): void {
    active.reject(error)
    if (this.#active !== active || this.#follow === undefined) return
    this.#follow.close()
    this.#follow = undefined
    for (const claimant of [...this.#claimants]) claimant.watchFailed(error)
  }

  #clearGhosts(seated: ReadonlyMap<string, Seated>): void {
    const { kernel, seatOf } = this.#options
    const session = kernel.sessions.live
    if (session === undefined || this.#closed) return
    for (const [name, ghost] of seated) {
      if (ghost.session !== session.id || this.#owned.has(ghost.nonce) || this.#clearing.has(ghost.nonce)) continue
      this.#clearing.add(ghost.nonce)
      const seat = seatOf(name)
      const cleared = untilKnown(kernel, { what: 'clear a seat', key: name }, session.over, (call) =>
        kernel.driver.emptySeat(seat, ghost.token, call),
      )
      const done = cleared
        .catch((error: unknown) => {
          // its session has taken it along
          if (!session.over.aborted) throw error
        })
        .finally(() => this.#clearing.delete(ghost.nonce))
      kernel.inBackground(`clearing the seat ${JSON.stringify(name)}`, done)
    }
  }
}
