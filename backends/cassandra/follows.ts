/** Notifications: what is followed, and what its rows mean. */
import { type Entry, isCoordinationError, type PluginContext } from '../../spi/index.ts'
import type { ChangeSource, Follow, FollowSink, Seated } from '../shared/driver.ts'
import { followByRevision, type RevisionSink } from '../shared/follow-by-revision.ts'
import { OpenFollows } from '../shared/open-follows.ts'
import type { Feed } from './feed.ts'
import { isWithin, leaderAt, memberIdOf, membersOf, type Place, placeText, valueAt, valuesBelow } from './layout.ts'
import type { Reader } from './reader.ts'
import { entryOf, type Row, seatedOf } from './row.ts'

interface Subject<T> {
  readonly what: string
  covers(place: Place): boolean
  /** All there is, at one moment. */
  all(signal: AbortSignal): Promise<{ readonly at: bigint; readonly rows: readonly Row[] }>
  name(place: Place): string
  read(row: Row): T
}

export interface FollowsOptions {
  readonly context: PluginContext
  readonly reader: Reader
  readonly feed: Feed
}

export class Follows implements ChangeSource {
  readonly #options: FollowsOptions
  readonly #open = new OpenFollows()

  constructor(options: FollowsOptions) {
    this.#options = options
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    return this.#follow({ what: `key ${key}`, ...this.#onePlace(valueAt(key)), name: () => key, read: entryOf }, sink)
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    const slice = valuesBelow(namespace)
    return this.#follow(
      {
        what: `namespace ${namespace}`,
        covers: (place) => isWithin(slice, place),
        all: (signal) => this.#options.reader.whole(slice, { keysOnly: true }, this.#call(signal)),
        name: ({ name }) => name,
        read: entryOf,
      },
      sink,
    )
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    const place = leaderAt(service)
    return this.#follow(
      { what: `leader of ${service}`, ...this.#onePlace(place), name: () => service, read: seatedOf },
      sink,
    )
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    const slice = membersOf(group)
    return this.#follow(
      {
        what: `group ${group}`,
        covers: (place) => isWithin(slice, place),
        all: (signal) => this.#options.reader.whole(slice, { keysOnly: false }, this.#call(signal)),
        name: ({ name }) => memberIdOf(name),
        read: seatedOf,
      },
      sink,
    )
  }

  /** Ends all follows. */
  close(): void {
    this.#open.closeAll()
  }

  #onePlace(place: Place): Pick<Subject<unknown>, 'covers' | 'all'> {
    const text = placeText(place)
    return {
      covers: (other) => placeText(other) === text,
      all: (signal) => this.#options.reader.place(place, this.#call(signal)),
    }
  }

  #call(signal: AbortSignal) {
    return { signal, timeoutMs: this.#options.context.sessionTimeoutMs }
  }

  #follow<T>(subject: Subject<T>, sink: FollowSink<T>): Follow {
    const { context, feed } = this.#options
    const source = {
      what: subject.what,
      snapshot: async (signal: AbortSignal) => {
        const { at, rows } = await subject.all(signal)
        return { at, all: new Map(rows.flatMap((row) => this.#read(subject, row))) }
      },
      watch: (from: bigint, told: RevisionSink<T>, signal: AbortSignal) =>
        feed.follow(
          from,
          {
            covers: (place) => subject.covers(place),
            changed: (rows, at) => {
              const changes = rows.flatMap(({ place, row }): (readonly [string, T | undefined])[] =>
                row === undefined ? [[subject.name(place), undefined]] : this.#read(subject, row),
              )
              told.changed(new Map(changes), at)
            },
            progress: (at) => told.progress(at),
          },
          signal,
        ),
    }
    return this.#open.keep(followByRevision(context, source, sink))
  }

  /** A row that nobody can read is as good as none, and somebody's fault. */
  #read<T>(subject: Subject<T>, row: Row): [string, T][] {
    try {
      return [[subject.name(row), subject.read(row)]]
    } catch (cause) {
      if (!isCoordinationError(cause) && !(cause instanceof URIError)) throw cause
      this.#options.context.logger.warn(`following ${subject.what}: ${cause.message}`, { cause })
      return []
    }
  }
}
