/** The listeners of a raw backend: right, or wrong in one way. */
import type {
  Entry,
  KeySetChangeListener,
  ListenerRegistry,
  ListenOptions,
  Logger,
  ValueChangeListener,
} from '../../spi/index.ts'
import { type Fault, turn } from './raw-faults.fixture.ts'
import { childrenOf, type RawStore } from './raw-store.fixture.ts'

type Listener = ValueChangeListener | KeySetChangeListener

/** What a listener is shown: equal fingerprints are the same state. */
interface Look {
  readonly fingerprint: string
  show(listener: Listener): void | Promise<void>
}

interface Subscription {
  readonly path: string
  readonly listener: Listener
  look(): Look
  concerns(key: string): boolean
  /** undefined: nothing yet, and there is to be a first call. */
  shown: string | undefined
  /** Looked at as late as possible: there may be many changes. */
  readonly queue: (() => Look)[]
  running: boolean
  removed: boolean
}

export class RawRegistry implements Pick<ListenerRegistry, 'addValueChangeListener' | 'addKeySetChangeListener'> {
  readonly #store: RawStore
  readonly #logger: Logger
  readonly #subscriptions: Subscription[] = []
  readonly #isOwnWrite: () => boolean
  readonly #tell = (key: string) => this.#changed(key)

  constructor(store: RawStore, logger: Logger, isOwnWrite: () => boolean) {
    this.#store = store
    this.#logger = logger
    this.#isOwnWrite = isOwnWrite
    store.changed.add(this.#tell)
  }

  get #fault(): Fault {
    return this.#store.fault
  }

  async addValueChangeListener(path: string, listener: ValueChangeListener, options?: ListenOptions): Promise<void> {
    if (this.#fault === 'listener-needs-key' && !this.#store.entries.has(path)) return
    await this.#add(path, listener, options, () => {
      const entry = this.#store.entries.get(path)
      return { fingerprint: entry?.version ?? '', show: () => listener.valueChanged(textOf(entry), entry) }
    })
  }

  async addKeySetChangeListener(path: string, listener: KeySetChangeListener, options?: ListenOptions): Promise<void> {
    await this.#add(path, listener, options, () => {
      const all = [...childrenOf(this.#store, path)].sort()
      const names = this.#fault === 'one-page-of-key-set' ? all.slice(0, 500) : all
      const told = this.#fault === 'told-of-every-write-below' ? String(this.#store.versions) : names.join('\n')
      return { fingerprint: told, show: () => listener.keySetChanged(new Set(names)) }
    })
  }

  async removeValueChangeListener(path: string, listener: ValueChangeListener): Promise<void> {
    await this.#remove(path, listener)
  }

  async removeKeySetChangeListener(path: string, listener: KeySetChangeListener): Promise<void> {
    await this.#remove(path, listener)
  }

  end(): void {
    this.#store.changed.delete(this.#tell)
    for (const subscription of this.#subscriptions.splice(0)) subscription.removed = true
  }

  async #add(path: string, listener: Listener, options: ListenOptions = {}, look: () => Look): Promise<void> {
    await turn()
    const isThere = this.#subscriptions.some((other) => other.path === path && other.listener === listener)
    if (isThere && this.#fault !== 'counted-twice') return
    if (this.#fault === 'hundredth-listener-forgotten' && this.#subscriptions.length === 99) return
    const isInitial =
      (options.initial === true && this.#fault !== 'initial-ignored') || this.#fault === 'initial-always'
    const subscription: Subscription = {
      path,
      listener,
      look,
      concerns: (key) => key === path || key.startsWith(path === '/' ? path : `${path}/`),
      shown: isInitial ? undefined : look().fingerprint,
      queue: [],
      running: false,
      removed: false,
    }
    if (isInitial) this.#deliver(subscription, this.#fault === 'gap-while-adding' ? seenNow(look()) : look)
    if (this.#fault === 'gap-while-adding') for (let turns = 0; turns < 3; turns++) await turn()
    this.#subscriptions.push(subscription)
  }

  async #remove(path: string, listener: Listener): Promise<void> {
    const fits = (other: Subscription) => {
      return other.listener === listener && (other.path === path || this.#fault === 'remove-from-all-keys')
    }
    for (const subscription of this.#subscriptions.filter(fits)) {
      while (this.#fault === 'remove-waits-for-call' && subscription.running && !subscription.removed) await turn()
      if (this.#fault !== 'called-after-remove') subscription.removed = true
      const forget = () => this.#subscriptions.splice(this.#subscriptions.indexOf(subscription), 1)
      if (this.#fault === 'called-after-remove') setTimeout(forget, 10)
      else forget()
    }
  }

  #changed(key: string): void {
    if (this.#fault === 'deaf-to-delete' && !this.#store.entries.has(key)) return
    if (this.#fault === 'deaf-to-foreign-writes' && !this.#isOwnWrite()) return
    const before = this.#store.past.at(-1)?.entry
    const tell = () => {
      for (const subscription of this.#subscriptions) {
        if (!subscription.concerns(key)) continue
        this.#deliver(subscription, this.#fault === 'states-queued' ? seenNow(subscription.look()) : subscription.look)
        if (this.#fault === 'older-state-later' && before !== undefined && subscription.path === key) {
          const { listener } = subscription
          const show = () => ('valueChanged' in listener ? listener.valueChanged(textOf(before), before) : undefined)
          this.#deliver(subscription, seenNow({ fingerprint: 'older', show }))
        }
      }
    }
    if (this.#fault === 'late-notifications') setTimeout(tell, 100)
    else setImmediate(tell)
  }

  #deliver(subscription: Subscription, look: () => Look): void {
    if (this.#fault === 'last-state-dropped' && subscription.running) return
    if (this.#fault !== 'states-queued' && this.#fault !== 'older-state-later') subscription.queue.length = 0
    subscription.queue.push(look)
    if (subscription.running && this.#fault !== 'calls-overlap') return
    subscription.running = true
    this.#run(subscription).catch((error: unknown) => this.#logger.error('the raw backend failed', { error }))
  }

  async #run(subscription: Subscription): Promise<void> {
    await turn()
    for (let next = subscription.queue.shift(); next !== undefined; next = subscription.queue.shift()) {
      if (subscription.removed) break
      const look = next()
      const isNews = look.fingerprint !== subscription.shown
      const repeated = this.#fault === 'states-repeated' && this.#store.versions % 10 === 0
      subscription.shown = look.fingerprint
      if (!isNews) continue
      try {
        await look.show(subscription.listener)
        if (repeated) await look.show(subscription.listener)
      } catch (error) {
        this.#logger.warn('a listener failed', { error })
        if (this.#fault === 'throwing-ends-it') subscription.removed = true
      }
    }
    subscription.running = false
  }
}

function seenNow(look: Look): () => Look {
  return () => look
}

function textOf(entry: Entry | undefined): string | undefined {
  try {
    return entry?.text
  } catch {
    return undefined
  }
}
