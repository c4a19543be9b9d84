/** A store in memory with the sessions and seats of the port. It has no values. */
import { CoordinationError } from '../../spi/index.ts'
import type { Holder, Seat, Seated, SessionGrant } from './driver.ts'
import type { FakeWorld } from './fake-clock.fixture.ts'

/** Hears of every change of a seat, by its name. */
export interface Follower {
  committed(name: string, seated: Seated | undefined): void
}

export class FakeStore {
  readonly world: FakeWorld
  readonly seats = new Map<string, Seated>()
  readonly #sessions = new Map<string, { ttlMs: number; timer: Disposable }>()
  readonly #follows = new Set<Follower>()
  readonly #late: (() => void)[] = []
  #revision = 0n
  #sessionCount = 0

  constructor(world: FakeWorld) {
    this.world = world
  }

  get sessions(): readonly string[] {
    return [...this.#sessions.keys()]
  }

  open(ttlMs: number): SessionGrant {
    const id = `session-${++this.#sessionCount}`
    this.#sessions.set(id, { ttlMs, timer: this.#expiry(id, ttlMs) })
    return { id, ttlMs }
  }

  renew(id: string): SessionGrant | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    session.timer[Symbol.dispose]()
    session.timer = this.#expiry(id, session.ttlMs)
    return { id, ttlMs: session.ttlMs }
  }

  end(id: string): void {
    this.#sessions.get(id)?.timer[Symbol.dispose]()
    this.#sessions.delete(id)
    for (const [name, seated] of [...this.seats]) if (seated.session === id) this.#set(name, undefined)
  }

  take(seat: Seat, holder: Holder): Seated {
    if (!this.#sessions.has(holder.session)) {
      throw new CoordinationError('SESSION_LOST', 'the session is over', { backend: 'fake', effect: 'none' })
    }
    const name = nameOf(seat)
    const present = this.seats.get(name)
    if (present !== undefined) return present
    this.#revision++
    const seated = { ...holder, token: this.#revision }
    this.#set(name, seated)
    return seated
  }

  amend(seat: Seat, token: bigint, data: Uint8Array): boolean {
    const present = this.seats.get(nameOf(seat))
    if (present?.token !== token) return false
    this.#set(nameOf(seat), { ...present, data })
    return true
  }

  empty(seat: Seat, token?: bigint): void {
    const present = this.seats.get(nameOf(seat))
    if (present !== undefined && (token === undefined || present.token === token)) this.#set(nameOf(seat), undefined)
  }

  below(prefix: string): Map<string, Seated> {
    const found = [...this.seats].filter(([name]) => name.startsWith(prefix))
    return new Map(found.map(([name, seated]) => [name.slice(prefix.length), seated]))
  }

  /** What was late arrives now. */
  deliverLate(): void {
    for (const arrive of this.#late.splice(0)) arrive()
  }

  addLate(arrive: () => void): void {
    this.#late.push(arrive)
  }

  follow(follow: Follower): Disposable {
    this.#follows.add(follow)
    return { [Symbol.dispose]: () => void this.#follows.delete(follow) }
  }

  #set(name: string, seated: Seated | undefined): void {
    if (seated === undefined) this.seats.delete(name)
    else this.seats.set(name, seated)
    for (const follow of this.#follows) follow.committed(name, seated)
  }

  #expiry(id: string, ttlMs: number): Disposable {
    return this.world.setTimeout(() => this.end(id), ttlMs)
  }
}

/** Of a seat in `FakeStore.seats`. */
export function nameOf(seat: Seat): string {
  return seat.kind === 'leader' ? `leader/${seat.service}` : `member/${seat.group}/${seat.id}`
}
