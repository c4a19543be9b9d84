/** Notifications: what is followed, as ranges of keys and as what stands in them. */
import type { IEvent, IKeyValue } from 'etcd3'
import { type Entry, type PluginContext, prefixOf } from '../../../spi/index.ts'
import type { ChangeSource, Follow, FollowSink, Seated } from '../driver.ts'
import { followByRevision, type RevisionSink } from '../follow-by-revision.ts'
import { OpenFollows } from '../open-follows.ts'
import type { KeyRange, Layout } from './layout.ts'
import type { Reader } from './reader.ts'
import type { Seats } from './seats.ts'
import type { Values } from './values.ts'
import type { Watches } from './watches.ts'

/** What is followed: where it stands, and what a key and a value there mean. */
interface Subject<T> {
  readonly what: string
  readonly range: KeyRange
  readonly keysOnly?: boolean
  name(kv: IKeyValue): string
  read(kv: IKeyValue): T
}

export interface ChangesOptions {
  readonly context: PluginContext
  readonly layout: Layout
  readonly reader: Reader
  readonly values: Values
  readonly seats: Seats
  readonly watches: Watches
}

export class Changes implements ChangeSource {
  readonly #options: ChangesOptions
  readonly #open = new OpenFollows()

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    const { layout, values } = this.#options
    return this.#follow(
      { what: `key ${key}`, range: { key: layout.value(key) }, name: () => key, read: (kv) => values.entry(kv) },
      sink,
    )
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    const { layout, values } = this.#options
    const prefix = prefixOf(namespace)
    return this.#follow(
      {
        what: `namespace ${namespace}`,
        // '0' comes right after '/'
        range: layout.values(prefix, `${prefix.slice(0, -1)}0`),
        keysOnly: true,
        name: ({ key }) => layout.keyOf(key),
        read: (kv) => values.entry(kv),
      },
      sink,
    )
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    const { layout, seats } = this.#options
    return this.#follow(
      {
        what: `leader of ${service}`,
        range: { key: layout.leader(service) },
        name: () => service,
        read: (kv) => seats.seated(kv),
      },
      sink,
    )
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    const { layout, seats } = this.#options
    return this.#follow(
      {
        what: `group ${group}`,
        range: layout.members(group),
        name: ({ key }) => layout.memberOf(key),
        read: (kv) => seats.seated(kv),
      },
      sink,
    )
  }

  /** Ends all follows. */
  close(): void {
    this.#open.closeAll()
  }

  #follow<T>(subject: Subject<T>, sink: FollowSink<T>): Follow {
    const { context, reader, watches } = this.#options
    const source = {
      what: subject.what,
      snapshot: async (signal: AbortSignal) => {
        const range = { ...subject.range, keys_only: subject.keysOnly ?? false }
        const call = { signal, timeoutMs: context.sessionTimeoutMs, consistency: 'linearizable' } as const
        const { kvs, header } = await reader.range(range, call)
        return { at: BigInt(header.revision), all: new Map(kvs.flatMap((kv) => this.#named(subject, kv, kv))) }
      },
      watch: (from: bigint, told: RevisionSink<T>, signal: AbortSignal) => {
        const events = (batch: readonly IEvent[], at: bigint) => {
          const changes = batch.flatMap(({ type, kv }) => this.#named(subject, kv, type === 'Put' ? kv : undefined))
          told.changed(new Map(changes), at)
        }
        return watches.watch(subject.range, from, { events, progress: (at) => told.progress(at) }, signal)
      },
    }
    return this.#open.keep(followByRevision(context, source, sink))
  }

  /**
   * What a key means, and what stands there. A record that nobody can read is as good as none, and somebody's fault.
   */
  #named<T, V extends IKeyValue | undefined>(
    subject: Subject<T>,
    key: IKeyValue,
    value: V,
  ): [string, V extends IKeyValue ? T : T | undefined][] {
    try {
      return [[subject.name(key), value && subject.read(value)]]
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      this.#options.context.logger.warn(`following ${subject.what}: ${why}`, { cause })
      return []
    }
  }
}
