/**
 * What the log says: sessions, seats, values. Each client computes it for itself, from the commands in the order of the
 * log and from nothing else – no clock, no chance – so all of them agree, and so does whoever asks later.
 */

/** As the driver's Seat. */
export type SeatName =
  | { readonly kind: 'leader'; readonly service: string }
  | { readonly kind: 'member'; readonly group: string; readonly id: string }

/** Bytes are base64 everywhere: all of this is stored as JSON. */
export interface Sitting {
  readonly seat: SeatName
  readonly id: string
  readonly session: string
  readonly nonce: string
  readonly data: string
  /** The revision at which it was taken. */
  readonly token: string
}

export interface Value {
  readonly data: string
  /** The revision of the write. */
  readonly version: string
}

export interface Change {
  readonly key: string
  readonly expect: string
  /** null: absent. Without it: unchanged. */
  readonly become?: string | null
}

export interface CommitName {
  readonly session: string
  readonly slot: number
  readonly number: number
}

export type Command =
  | { readonly does: 'open'; readonly session: string; readonly ttlMs: number }
  | { readonly does: 'renew'; readonly session: string }
  /** Somebody has watched the renewal for the time to live, and no other came. */
  | { readonly does: 'expire'; readonly session: string; readonly renewal: number }
  | { readonly does: 'end'; readonly session: string }
  | { readonly does: 'take'; readonly sitting: Omit<Sitting, 'token'> }
  | { readonly does: 'amend'; readonly seat: SeatName; readonly token: string; readonly data: string }
  | { readonly does: 'empty'; readonly seat: SeatName; readonly token: string }
  | {
      readonly does: 'commit'
      readonly name: CommitName
      readonly changes: readonly Change[]
      readonly fence?: { readonly service: string; readonly token: string }
    }
  /** Decides a commit that has not taken place: it never will. */
  | { readonly does: 'settle'; readonly name: CommitName }

/** What became of a command; only its sender cares. */
export type Reply =
  | { readonly is: 'done' }
  | { readonly is: 'session over' }
  /** The session, or this incarnation of the seat's holder, is not there. */
  | { readonly is: 'gone' }
  | { readonly is: 'open'; readonly ttlMs: number }
  | { readonly is: 'seated'; readonly sitting: Sitting }
  | { readonly is: 'never' }
  | ({ readonly is: 'committed' } & Committed)
  | { readonly is: 'refused'; readonly found: ReadonlyMap<string, Value | undefined>; readonly token?: string }

interface Committed {
  readonly version: string
  readonly written: readonly string[]
}

export interface LiveSession {
  readonly ttlMs: number
  /** Rises with each renewal. */
  readonly renewal: number
  /** The last commit of each slot. */
  readonly slots: Map<number, { readonly number: number; readonly committed?: Committed }>
}

/** What changed, for those who follow it. */
export type Touched = { readonly key: string } | { readonly seat: SeatName }

export class State {
  /** How many commands there have been; what versions and tokens are made of. */
  revision = 0
  readonly sessions = new Map<string, LiveSession>()
  readonly seats = new Map<string, Sitting>()
  readonly values = new Map<string, Value>()

  apply(command: Command, touched: Touched[]): Reply {
    this.revision++
    switch (command.does) {
      case 'open':
        this.sessions.set(command.session, { ttlMs: command.ttlMs, renewal: 0, slots: new Map() })
        return { is: 'open', ttlMs: command.ttlMs }
      case 'renew':
        return this.#renew(command.session)
      case 'expire':
        if (this.sessions.get(command.session)?.renewal !== command.renewal) return { is: 'gone' }
        return this.#end(command.session, touched)
      case 'end':
        return this.#end(command.session, touched)
      case 'take':
        return this.#take(command.sitting, touched)
      case 'amend':
      case 'empty':
        return this.#replace(command.seat, command.token, command.does === 'amend' ? command.data : undefined, touched)
      case 'commit':
        return this.#commit(command, touched)
      case 'settle':
        return this.#settle(command.name)
    }
  }

  sitting(seat: SeatName): Sitting | undefined {
    return this.seats.get(keyOf(seat))
  }

  #renew(id: string): Reply {
    const session = this.sessions.get(id)
    if (session === undefined) return { is: 'session over' }
    this.sessions.set(id, { ...session, renewal: session.renewal + 1 })
    return { is: 'open', ttlMs: session.ttlMs }
  }

  #end(id: string, touched: Touched[]): Reply {
    this.sessions.delete(id)
    for (const { seat, session } of [...this.seats.values()]) {
      if (session !== id) continue
      this.seats.delete(keyOf(seat))
      touched.push({ seat })
    }
    return { is: 'done' }
  }

  #take(sitting: Omit<Sitting, 'token'>, touched: Touched[]): Reply {
    if (!this.sessions.has(sitting.session)) return { is: 'session over' }
    const key = keyOf(sitting.seat)
    const there = this.seats.get(key)
    if (there !== undefined) return { is: 'seated', sitting: there }
    const seated = { ...sitting, token: String(this.revision) }
    this.seats.set(key, seated)
    touched.push({ seat: sitting.seat })
    return { is: 'seated', sitting: seated }
  }

  #replace(seat: SeatName, token: string, data: string | undefined, touched: Touched[]): Reply {
    const there = this.sitting(seat)
    if (there?.token !== token) return { is: 'gone' }
    if (data === undefined) this.seats.delete(keyOf(seat))
    else this.seats.set(keyOf(seat), { ...there, data })
    touched.push({ seat })
    return { is: 'done' }
  }

  #commit({ name, changes, fence }: Extract<Command, { does: 'commit' }>, touched: Touched[]): Reply {
    const slots = this.sessions.get(name.session)?.slots
    if (slots === undefined) return { is: 'session over' }
    if ((slots.get(name.slot)?.number ?? 0) >= name.number) return { is: 'never' }
    const token = fence && this.sitting({ kind: 'leader', service: fence.service })?.token
    if (token !== fence?.token || !changes.every((change) => this.#holds(change))) {
      const found = new Map(changes.map(({ key }) => [key, this.values.get(key)] as const))
      return { is: 'refused', found, ...(token !== undefined && { token }) }
    }
    const version = String(this.revision)
    const writes = changes.filter(({ become }) => become !== undefined)
    for (const { key, become } of writes) {
      if (typeof become === 'string') this.values.set(key, { data: become, version })
      else this.values.delete(key)
      touched.push({ key })
    }
    const written = writes.filter(({ become }) => become !== null).map(({ key }) => key)
    const committed = { version, written }
    slots.set(name.slot, { number: name.number, committed })
    return { is: 'committed', ...committed }
  }

  #holds({ key, expect }: Change): boolean {
    const version = this.values.get(key)?.version
    if (expect === 'anything') return true
    if (expect === 'absent') return version === undefined
    return expect === 'present' ? version !== undefined : version === expect
  }

  /** A refusal is not remembered: it did not take place, and its command will not come again. */
  #settle({ session, slot, number }: CommitName): Reply {
    const slots = this.sessions.get(session)?.slots
    if (slots === undefined) return { is: 'session over' }
    const last = slots.get(slot)
    if (last?.number === number && last.committed !== undefined) return { is: 'committed', ...last.committed }
    if ((last?.number ?? 0) < number) slots.set(slot, { number })
    return { is: 'never' }
  }

  static fromJSON(text: string): State {
    const { revision, sessions, seats, values } = JSON.parse(text) as Snapshot
    const state = new State()
    state.revision = revision
    for (const { id, slots, ...session } of sessions) state.sessions.set(id, { ...session, slots: new Map(slots) })
    for (const sitting of seats) state.seats.set(keyOf(sitting.seat), sitting)
    for (const [key, value] of values) state.values.set(key, value)
    return state
  }

  toJSON(): Snapshot {
    const sessions = [...this.sessions].map(([id, session]) => ({ ...session, id, slots: [...session.slots] }))
    return { revision: this.revision, sessions, seats: [...this.seats.values()], values: [...this.values] }
  }
}

interface Snapshot {
  readonly revision: number
  readonly sessions: readonly (Omit<LiveSession, 'slots'> & {
    readonly id: string
    readonly slots: readonly [number, { readonly number: number; readonly committed?: Committed }][]
  })[]
  readonly seats: readonly Sitting[]
  readonly values: readonly [string, Value][]
}

function keyOf(seat: SeatName): string {
  return JSON.stringify(seat.kind === 'leader' ? [seat.service] : [seat.group, seat.id])
}
