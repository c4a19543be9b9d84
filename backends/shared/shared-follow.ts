/** One follow of the store for all who follow the same thing. */
import type { Follow, FollowSink } from './driver.ts'
import type { SharedFollow } from './kernel.ts'

export class SharedFollows<T> {
  readonly #open: (name: string, sink: FollowSink<T>) => Follow
  readonly #shared = new Map<string, Shared<T>>()

  /** @param open asks the driver: `(name, sink) => driver.followKey(name, sink)`. */
  constructor(open: (name: string, sink: FollowSink<T>) => Follow) {
    this.#open = open
  }

  /** Costs nothing until somebody joins. */
  get(name: string): SharedFollow<T> {
    let shared = this.#shared.get(name)
    if (shared === undefined) {
      shared = new Shared<T>(
        (sink) => this.#open(name, sink),
        () => this.#shared.delete(name),
      )
      this.#shared.set(name, shared)
    }
    return shared
  }
}

class Shared<T> implements SharedFollow<T> {
  readonly #open: (sink: FollowSink<T>) => Follow
  readonly #ended: () => void
  readonly #members = new Set<FollowSink<T>>()
  #follow: Follow | undefined
  #all: Map<string, T> | undefined

  constructor(open: (sink: FollowSink<T>) => Follow, ended: () => void) {
    this.#open = open
    this.#ended = ended
  }

  get all(): ReadonlyMap<string, T> | undefined {
    return this.#all
  }

  join(sink: FollowSink<T>): Follow {
    // each join is a member of its own, also of a sink that is there already
    const member: FollowSink<T> = {
      reset: (all) => sink.reset(all),
      changed: (changes) => sink.changed(changes),
      failed: (error) => sink.failed(error),
    }
    this.#members.add(member)
    let follow = this.#follow
    if (follow === undefined) follow = this.#start()
    else if (this.#all !== undefined) member.reset(new Map(this.#all))
    return { active: follow.active, close: () => this.#leave(member) }
  }

  #start(): Follow {
    let over = false as boolean
    const follow = this.#open({
      reset: (all) => {
        this.#all = new Map(all)
        this.#tell((member) => member.reset(all))
      },
      changed: (changes) => {
        for (const [name, state] of changes) {
          if (state === undefined) this.#all?.delete(name)
          else this.#all?.set(name, state)
        }
        this.#tell((member) => member.changed(changes))
      },
      failed: (error) => {
        over = true
        this.#end()
        const members = [...this.#members]
        this.#members.clear()
        for (const member of members) member.failed(error)
      },
    })
    // one who left before it was active does not wait for it
    follow.active.catch(() => undefined)
    if (!over) this.#follow = follow
    return follow
  }

  /** A member may leave, and others with it, while it is told. */
  #tell(what: (member: FollowSink<T>) => void): void {
    for (const member of [...this.#members]) if (this.#members.has(member)) what(member)
  }

  #leave(member: FollowSink<T>): void {
    if (this.#members.delete(member) && this.#members.size === 0) this.#end()
  }

  /** The next join asks the store anew. */
  #end(): void {
    this.#follow?.close()
    this.#follow = undefined
    this.#all = undefined
    this.#ended()
  }
}
