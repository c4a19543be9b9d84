/**
 * What the store tells of the seats of one group or service: to our claims, to whoever shows the state to listeners,
 * and to the one who clears away ghosts.
 *
 * A ghost is a seat of our live session that no claim of ours owns: the request of an aborted join, or a repeated one,
 * that came to the store late. Nobody would ever leave it, for its session lives on.
 *
 * A follow is a line: asked ─reset─▶ active ─reset…─▶ closed. Of two lines the younger, once active, takes the place of
 * the older: its first state is not older than its opening, which is what a listener needs that comes later. A line
 * that failed leaves its place; all who wait for it hear why.
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

interface Line {
  readonly active: Deferred<void>
  follow: Follow | undefined
  isOver: boolean
}

export class SeatWatch {
  readonly #options: SeatWatchOptions
  readonly #claimants = new Set<Claimant>()
  readonly #owned = new Set<string>()
  readonly #clearing = new Set<string>()
  readonly #lines = new Set<Line>()
  /** Whose word counts. */
  #line: Line | undefined
  #all = new Map<string, Seated>()
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
    this.#line ??= this.#start()
    return this.#line.active.promise
  }

  /** The same, and what has been told by then is not older than this call. */
  openAnew(): Promise<void> {
    if (this.#line === undefined) return this.open()
    return this.#start().active.promise
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
    for (const line of [...this.#lines]) this.#end(line)
    this.#claimants.clear()
  }

  #start(): Line {
    const line: Line = { active: deferred(), follow: undefined, isOver: this.#closed }
    if (line.isOver) return line
    this.#lines.add(line)
    const follow = this.#options.open({
      reset: (all) => {
        if (!line.isOver) this.#reset(line, all)
      },
      changed: (changes) => {
        if (this.#line === line) this.#changed(changes)
      },
      failed: (error) => this.#fail(line, error),
    })
    line.follow = follow
    follow.active.then(
      () => line.active.resolve(),
      (error: unknown) => this.#fail(line, error instanceof Error ? error : new Error(String(error))),
    )
    return line
  }

  #end(line: Line): void {
    line.isOver = true
    line.follow?.close()
    this.#lines.delete(line)
  }

  #reset(line: Line, all: ReadonlyMap<string, Seated>): void {
    for (const older of [...this.#lines]) {
      if (older === line) break
      // who waits for the older one is served by the younger
      line.active.promise.then(older.active.resolve, older.active.reject)
      this.#end(older)
    }
    this.#line = line
    this.#all = new Map(all)
    for (const claimant of [...this.#claimants]) claimant.seatTold(all.get(claimant.name))
    this.#tellOthers(all)
  }

  #changed(changes: ReadonlyMap<string, Seated | undefined>): void {
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
  }

  #tellOthers(seated: ReadonlyMap<string, Seated>): void {
    this.#clearGhosts(seated)
    this.#options.changed()
  }

  #fail(line: Line, error: Error): void {
    line.active.reject(error)
    this.#end(line)
    if (this.#line !== line) return
    this.#line = undefined
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
