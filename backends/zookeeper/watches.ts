/** Persistent watches of the driver's own session: one for each path, however many follow it. */
import type { Call } from '../shared/driver.ts'
import type { ZkClient } from './connection/client.ts'
import { WATCH } from './protocol/codes.ts'
import { addWatch, removeWatches } from './protocol/operations.ts'
import { found } from './reads.ts'

export interface WatchEvents {
  /** That path, or one below it if all below are watched. */
  changed(path: string): void
  /** Changes may have been missed from here on: the watch must be set again. */
  broken(): void
}

interface Watched {
  readonly events: WatchEvents
  readonly recursive: boolean
}

export class Watches {
  readonly #client: ZkClient
  readonly #timeoutMs: number
  readonly #byPath = new Map<string, Set<Watched>>()
  #count = 0

  /** @param timeoutMs of a request that nobody waits for. */
  constructor(client: ZkClient, timeoutMs: number) {
    this.#client = client
    this.#timeoutMs = timeoutMs
    client.listen({
      changed: (path) => this.#dispatch(path),
      connected: () => this.breakAll(),
    })
  }

  /** Of the events that have come so far. */
  get count(): number {
    return this.#count
  }

  /** Whoever follows must begin anew, or learns that the client is closed. */
  breakAll(): void {
    for (const all of [...this.#byPath.values()]) for (const { events } of [...all]) events.broken()
  }

  /** From now on it is told of all events there are; {@link set} sees to it that there are any. */
  add(path: string, recursive: boolean, events: WatchEvents): Disposable {
    const entry = { events, recursive }
    const all = this.#byPath.get(path) ?? new Set()
    all.add(entry)
    this.#byPath.set(path, all)
    return {
      [Symbol.dispose]: () => {
        all.delete(entry)
        if (all.size > 0 || this.#byPath.get(path) !== all) return
        this.#byPath.delete(path)
        const call = { signal: new AbortController().signal, timeoutMs: this.#timeoutMs }
        // without it there are events that nobody wants, until the next connection
        if (!this.#client.isOver) this.#client.send(removeWatches(path), call).catch(() => undefined)
      },
    }
  }

  /** Resolves when the server watches the path. @throws CoordinationError */
  async set(path: string, call: Call): Promise<void> {
    // one that includes all below says also what the other says; older servers keep only one of them
    const recursive = [...(this.#byPath.get(path) ?? [])].some((watched) => watched.recursive)
    const mode = recursive ? WATCH.PERSISTENT_RECURSIVE : WATCH.PERSISTENT
    found(await this.#client.send(addWatch(path, mode), call))
  }

  #dispatch(path: string): void {
    this.#count++
    this.#tell(path, path)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      this.#tell(path.slice(0, end), path)
    }
  }

  #tell(watched: string, path: string): void {
    for (const { events, recursive } of [...(this.#byPath.get(watched) ?? [])]) {
      if (recursive || watched === path) events.changed(path)
    }
  }
}
