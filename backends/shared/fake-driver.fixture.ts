/** A driver on the store in memory whose every message may be lost, late or held. */
import { type Capabilities, CoordinationError } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import type {
  Call,
  Commit,
  CommitOutcome,
  Follow,
  FollowSink,
  Holder,
  ReadCall,
  ScanPage,
  Seat,
  Seated,
  SessionGrant,
  StoreDriver,
} from './driver.ts'
import type { FakeClientClock } from './fake-clock.fixture.ts'
import { type FakeStore, nameOf } from './fake-store.fixture.ts'

export const FAKE_CAPABILITIES: Capabilities = {
  backend: 'fake',
  persistent: true,
  multiProcess: true,
  linearizableReads: true,
  atomicFencing: true,
  snapshotScan: true,
  transactions: { maxOps: 100 },
  notifications: { mode: 'push', maxLagMs: 50 },
  session: { minTtlMs: 1, granularityMs: 5 },
  limits: { maxKeyBytes: 512, maxValueBytes: 524_288 },
}

/** What happens to a request. */
export type Fault =
  | 'none'
  /** Never sent, and said so at once. */
  | 'refused'
  /** Lost on its way: nothing comes back. */
  | 'lost-request'
  /** Done, but nothing comes back. */
  | 'lost-reply'
  /** Done, then the connection breaks. */
  | 'reset'
  /** Nothing comes back, and it is done when the test says so. */
  | 'late'

/** One client's way to the store. */
export class FakeDriver implements StoreDriver {
  readonly capabilities: Capabilities
  readonly store: FakeStore
  readonly clock: FakeClientClock
  /** Asked for each request. */
  fault: (op: string) => Fault = () => 'none'
  /** There and back. Milliseconds. */
  delayMs: (op: string) => number = () => 0
  readonly calls: string[] = []
  readonly #follows = new Set<FakeFollow>()
  #isCut = false
  #isDeaf = false

  constructor(store: FakeStore, clock: FakeClientClock, capabilities: Partial<Capabilities> = {}) {
    this.store = store
    this.clock = clock
    this.capabilities = { ...FAKE_CAPABILITIES, ...capabilities }
  }

  get isCut(): boolean {
    return this.#isCut
  }

  get isDeaf(): boolean {
    return this.#isCut || this.#isDeaf
  }

  /** Only follows tell nothing. */
  deafen(): void {
    this.#isDeaf = true
  }

  /** Requests and replies vanish, and follows tell nothing. */
  cut(): void {
    this.#isCut = true
  }

  heal(): void {
    this.#isCut = false
    this.#isDeaf = false
    for (const follow of this.#follows) follow.healed()
  }

  openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    return this.#ask('openSession', call, () => this.store.open(ttlMs))
  }

  renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    return this.#ask('renewSession', call, () => this.store.renew(id))
  }

  endSession(id: string, call: Call): Promise<void> {
    return this.#ask('endSession', call, () => this.store.end(id))
  }

  takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
    return this.#ask('takeSeat', call, () => this.store.take(seat, holder))
  }

  amendSeat(seat: Seat, token: bigint, data: Uint8Array, call: Call): Promise<boolean> {
    return this.#ask('amendSeat', call, () => this.store.amend(seat, token, data))
  }

  emptySeat(seat: Seat, token: bigint, call: Call): Promise<void> {
    return this.#ask('emptySeat', call, () => this.store.empty(seat, token))
  }

  readSeat(seat: Seat, call: ReadCall): Promise<Seated | undefined> {
    return this.#ask('readSeat', call, () => this.store.seats.get(nameOf(seat)))
  }

  readGroup(group: string, call: ReadCall): Promise<ReadonlyMap<string, Seated>> {
    return this.#ask('readGroup', call, () => this.store.below(`member/${group}/`))
  }

  read(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  scan(): Promise<ScanPage> {
    return Promise.resolve({ entries: [], more: false, at: undefined })
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    return Promise.reject(new Error(`no values here: ${commit.id.number}`))
  }

  outcomeOf(): Promise<'never'> {
    return Promise.resolve('never')
  }

  followKey(): Follow {
    throw new Error('no values here')
  }

  followNamespace(): Follow {
    throw new Error('no values here')
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    return this.#startFollow(`leader/`, (name) => name === service, sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    return this.#startFollow(`member/${group}/`, () => true, sink)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #startFollow(prefix: string, fits: (name: string) => boolean, sink: FollowSink<Seated>): Follow {
    const follow = new FakeFollow(this, prefix, fits, sink, () => this.#follows.delete(follow))
    this.#follows.add(follow)
    return follow
  }

  /** A request goes through the client's clock on both ways: a stalled client neither sends nor hears. */
  async #ask<T>(op: string, call: Call, apply: () => T): Promise<T> {
    this.calls.push(op)
    if (call.signal.aborted) throw reasonOf(call.signal)
    const fault = this.fault(op)
    const delayMs = this.delayMs(op)
    await this.#pause(call, delayMs / 2)
    if (fault === 'refused') throw unreachable('none')
    if (this.#isCut || fault === 'lost-request') return this.#silence(call)
    if (fault === 'late') {
      this.store.addLate(() => {
        try {
          apply()
        } catch {
          // nobody is there to hear of it
        }
      })
      return this.#silence(call)
    }
    const result = apply()
    if (fault === 'reset') throw unreachable('unknown')
    if (fault === 'lost-reply') return this.#silence(call)
    await this.#pause(call, delayMs / 2)
    return this.isCut ? this.#silence(call) : result
  }

  #pause(call: Call, ms: number): Promise<void> {
    return this.#until(call, (resolve) => this.clock.setTimeout(resolve, ms))
  }

  #silence(call: Call): Promise<never> {
    const timeout = new CoordinationError('TIMEOUT', 'no reply', { backend: 'fake' })
    return this.#until(call, (_, reject) =>
      call.timeoutMs < Infinity ? this.clock.setTimeout(() => reject(timeout), call.timeoutMs) : undefined,
    )
  }

  #until<R>(
    { signal }: Call,
    begin: (resolve: (value: R) => void, reject: (error: Error) => void) => Disposable | undefined,
  ): Promise<R> {
    let timer: Disposable | undefined
    let abort: () => void = () => undefined
    const settled = new Promise<R>((resolve, reject) => {
      abort = () => reject(reasonOf(signal))
      signal.addEventListener('abort', abort, { once: true })
      timer = begin(resolve, reject)
    })
    return settled.finally(() => {
      signal.removeEventListener('abort', abort)
      timer?.[Symbol.dispose]()
    })
  }
}

/** Tells each commit after the driver's delay, in order; after a cut everything at once. */
class FakeFollow implements Follow {
  readonly active: Promise<void>
  readonly #driver: FakeDriver
  readonly #prefix: string
  readonly #fits: (name: string) => boolean
  readonly #sink: FollowSink<Seated>
  readonly #subscription: Disposable
  readonly #closed: () => void
  #activate: () => void = () => undefined
  #isClosed = false
  #hasGap = true
  #sent = 0
  #told = 0

  constructor(
    driver: FakeDriver,
    prefix: string,
    fits: (name: string) => boolean,
    sink: FollowSink<Seated>,
    closed: () => void,
  ) {
    this.#driver = driver
    this.#prefix = prefix
    this.#fits = fits
    this.#sink = sink
    this.#closed = closed
    this.active = new Promise((resolve) => {
      this.#activate = resolve
    })
    this.#subscription = driver.store.follow(this)
    this.healed()
  }

  committed(name: string, seated: Seated | undefined): void {
    const own = name.slice(this.#prefix.length)
    if (!name.startsWith(this.#prefix) || !this.#fits(own)) return
    this.#later(() => {
      if (!this.#hasGap) this.#sink.changed(new Map([[own, seated]]))
    })
  }

  healed(): void {
    this.#later(() => {
      if (!this.#hasGap) return
      this.#hasGap = false
      const all = [...this.#driver.store.below(this.#prefix)].filter(([name]) => this.#fits(name))
      this.#sink.reset(new Map(all))
      // what was on its way is older than this
      this.#told = this.#sent
      this.#activate()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#subscription[Symbol.dispose]()
    this.#closed()
  }

  #later(tell: () => void): void {
    const number = ++this.#sent
    this.#driver.clock.setTimeout(() => {
      if (this.#isClosed) return
      if (this.#driver.isDeaf) this.#hasGap = true
      else if (number > this.#told) tell()
    }, 1)
  }
}

function unreachable(effect: 'none' | 'unknown'): CoordinationError {
  return new CoordinationError('CONNECTION', 'cannot reach the store', { backend: 'fake', effect })
}
