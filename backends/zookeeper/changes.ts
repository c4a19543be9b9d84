/** Follows: what is read of what has changed. */
import { childOf, type Entry, isCoordinationError, makeEntry } from '../../spi/index.ts'
import type { Call, ChangeSource, Follow, FollowSink, Seated } from '../shared/driver.ts'
import { parentOf, unescape, type Layout } from './layout.ts'
import { LookSize } from './look-size.ts'
import { getChildren, type Node, type Operation } from './protocol/operations.ts'
import { found, lookAt, nodeOf, type Reads } from './reads.ts'
import type { Seats } from './seats.ts'
import type { Values } from './values.ts'
import { followByWatch, type Looked, type WatchedContext } from './watched-follow.ts'

export interface ChangesOptions extends WatchedContext {
  readonly reads: Reads
  readonly layout: Layout
  readonly values: Values
  readonly seats: Seats
}

/** So many lists of children are asked for at once. */
const LISTS = 1000
const NO_BYTES = new Uint8Array()

/** A path with what is there. */
type LookedAt = Looked<Node>

export class Changes implements ChangeSource {
  readonly #options: ChangesOptions

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  followKey(key: string, sink: FollowSink<Entry>): Follow {
    const { layout, values } = this.#options
    return this.#followOne(`key ${key}`, layout.value(key), key, (node) => values.entry(key, node), sink)
  }

  followLeader(service: string, sink: FollowSink<Seated>): Follow {
    const path = this.#options.layout.leader(service)
    return this.#followOne(`leader of ${service}`, path, service, (node) => this.#seated(path, node), sink)
  }

  followGroup(group: string, sink: FollowSink<Seated>): Follow {
    const path = this.#options.layout.group(group)
    return this.#followBelow(
      {
        what: `group ${group}`,
        path,
        nameOf: (member) => (parentOf(member) === path ? unescape(member.slice(path.length + 1)) : undefined),
        stateOf: (member, node) => this.#seated(member, node),
      },
      sink,
    )
  }

  followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
    const { layout } = this.#options
    return this.#followBelow(
      {
        what: `namespace ${namespace}`,
        path: layout.value(namespace),
        nameOf: (path) => {
          const key = layout.keyOf(path)
          return key === undefined || childOf(namespace, key) === undefined ? undefined : key
        },
        stateOf: (path, node) => {
          const entry = this.#options.values.entry(layout.keyOf(path) ?? '', node)
          // the values are not needed, and there may be many
          return entry && makeEntry(entry.key, NO_BYTES, entry.version)
        },
      },
      sink,
    )
  }

  /** A record that nobody can read must not keep the others from being told. */
  #seated(path: string, node: Node): Seated | undefined {
    try {
      return this.#options.seats.seated(path, node)
    } catch (error) {
      if (!isCoordinationError(error, 'CORRUPTED')) throw error
      this.#options.context.logger.error(error.message)
      return undefined
    }
  }

  #followOne<T>(
    what: string,
    path: string,
    name: string,
    stateOf: (node: Node) => T | undefined,
    sink: FollowSink<T>,
  ): Follow {
    const look = async (call: Call) => {
      const [looked] = await this.#look([path], call)
      return looked === undefined ? [] : [named(looked, name, looked.state && stateOf(looked.state))]
    }
    const source = {
      what,
      path,
      recursive: false,
      nameOf: (changed: string) => (changed === path ? name : undefined),
      all: look,
      look: (_: readonly string[], call: Call) => look(call),
    }
    return followByWatch(this.#options, source, sink)
  }

  #followBelow<T>(
    about: {
      readonly what: string
      readonly path: string
      readonly nameOf: (path: string) => string | undefined
      readonly stateOf: (path: string, node: Node) => T | undefined
    },
    sink: FollowSink<T>,
  ): Follow {
    const { what, path, nameOf } = about
    // names are told, paths are asked for
    const paths = new Map<string, string>()
    const named = (looked: readonly LookedAt[]): readonly Looked<T>[] =>
      looked.flatMap(({ name: at, state: node, ...rest }) => {
        const name = nameOf(at)
        return name === undefined ? [] : [{ ...rest, name, state: node && about.stateOf(at, node) }]
      })
    return followByWatch(
      this.#options,
      {
        what,
        path,
        recursive: true,
        nameOf: (changed) => {
          const name = nameOf(changed)
          if (name !== undefined) paths.set(name, changed)
          return name
        },
        all: async (call) => named(await this.#walk(path, call)),
        look: async (names, call) => {
          const asked = names.map((name) => paths.get(name) ?? '')
          for (const name of names) paths.delete(name)
          return named(await this.#look(asked, call))
        },
      },
      sink,
    )
  }

  /** All below a path, level by level. */
  async #walk(path: string, call: Call): Promise<readonly LookedAt[]> {
    const all: LookedAt[] = []
    for (let parents: readonly string[] = [path]; parents.length > 0; ) {
      const level = await this.#look(await this.#childrenOf(parents, call), call)
      for (const one of level) all.push(one)
      parents = level.flatMap(({ name, state }) => ((state?.stat.children ?? 0) > 0 ? [name] : []))
    }
    return all
  }

  async #childrenOf(parents: readonly string[], call: Call): Promise<readonly string[]> {
    const { reads } = this.#options
    const all: string[] = []
    for (let at = 0; at < parents.length; at += LISTS) {
      const asked = parents.slice(at, at + LISTS).map(async (parent) => {
        const names = found(await reads.ask(getChildren(parent), call))?.names ?? []
        return names.map((name) => `${parent}/${name}`)
      })
      for (const paths of await Promise.all(asked)) for (const path of paths) all.push(path)
    }
    return all
  }

  /** At one moment if there are not too many. */
  async #look(paths: readonly string[], call: Call): Promise<readonly LookedAt[]> {
    const { reads, watches } = this.#options
    const size = new LookSize()
    const all: LookedAt[] = []
    for (let start = 0; start < paths.length; ) {
      const asked = paths.slice(start, start + size.next)
      start += asked.length
      const answer = found(
        await reads.ask(
          stamped(lookAt(asked), () => watches.count),
          call,
        ),
      )
      if (answer === undefined) continue
      const nodes = answer.value.map(nodeOf)
      size.saw(nodes.map((node) => node?.data?.length ?? 0))
      asked.forEach((name, index) => all.push({ name, state: nodes[index], at: answer.at }))
    }
    return all
  }
}

function named<T>({ at }: LookedAt, name: string, state: T | undefined): Looked<T> {
  return { name, state, at }
}

/** @internal With the count as it is when the answer comes, not when somebody gets round to it. */
export function stamped<T>(
  operation: Operation<T>,
  count: () => number,
): Operation<{ readonly value: T; readonly at: number }> {
  return { ...operation, read: (bytes) => ({ value: operation.read(bytes), at: count() }) }
}
