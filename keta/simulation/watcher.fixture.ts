/** A client that watches all keys, for ever: on another node when its own is gone, from where it stopped. */
import { FROM_KEY_END, keyFromText } from '../bytes/key.ts'
import type { WatchAnswer, WatchEvent, WatchStream } from '../watch/watch.ts'
import type { Chance } from './chance.fixture.ts'
import type { ClientParts } from './client.fixture.ts'
import type { Running } from './cluster.fixture.ts'
import type { Oracle } from './oracle.fixture.ts'

export class Watcher {
  readonly #parts: ClientParts
  readonly #oracle: Oracle
  readonly #chance: Chance
  readonly #name: string
  /** The next revision that it has not seen. */
  #next = 1
  #session = 0

  constructor(parts: ClientParts, oracle: Oracle, name: string) {
    this.#parts = parts
    this.#oracle = oracle
    this.#name = name
    this.#chance = parts.world.chance.branch(name)
  }

  /** Everything below it was seen. */
  get next(): number {
    return this.#next
  }

  start(): void {
    const { world, cluster } = this.#parts
    const session = ++this.#session
    world.schedule(this.#chance.between(1, 300), undefined, 'watcher', () => {
      if (session !== this.#session) return
      const running = this.#chance.pick(cluster.nodes).running
      if (running?.engine === undefined) this.start()
      else this.#watch(running, session)
    })
  }

  #watch(running: Running, session: number): void {
    const { world } = this.#parts
    const { process, engine } = running
    const isCurrent = (): boolean => session === this.#session
    const leave = process.onDeath(() => {
      if (isCurrent()) this.start()
    })
    world.schedule(this.#chance.between(0, 3), process, 'watch', () => {
      const stream = engine!.openWatchStream({ send: (answer) => !isCurrent() || this.#take(answer, stream, running) })
      const { startRevision, ...request } = this.#request()
      world.note(() => `${this.#name} watches from ${startRevision}`)
      stream.create({ ...request, startRevision })
    })
    world.schedule(this.#chance.between(500, 8_000), undefined, 'watcher moves', () => {
      if (!isCurrent()) return
      leave()
      this.start()
    })
  }

  #request() {
    return {
      key: keyFromText('a'),
      rangeEnd: FROM_KEY_END,
      startRevision: this.#next,
      progressNotify: true,
      noPut: false,
      noDelete: false,
      prevKv: false,
      watchId: 0n,
      fragment: false,
    }
  }

  /** Returns false if it wants no more for the moment. */
  #take(answer: WatchAnswer, stream: WatchStream, { process }: Running): boolean {
    switch (answer.kind) {
      case 'events':
        this.#expect(answer.events, answer.revision)
        break
      case 'progress':
        this.#expect([], answer.revision)
        break
      case 'compacted':
        this.#skipTo(answer.compactRevision)
        break
      case 'refused':
      case 'canceled':
        this.#parts.world.violate(`${this.#name}: the watch was ${answer.kind}`)
        break
      case 'created':
        break
    }
    if (!this.#chance.oneIn(8)) return true
    this.#parts.world.schedule(this.#chance.between(0, 200), process, 'watcher drains', () => stream.drained())
    return false
  }

  /** Up to and including `revision` exactly these events happened since. */
  #expect(events: readonly WatchEvent[], revision: number): void {
    const { world, checks } = this.#parts
    checks.counts.events += events.length
    const seen = events.map(({ event: { version } }) => {
      const value = version.version === 0 ? undefined : Buffer.from(version.value()).toString('latin1')
      return textOf({ revision: version.modRevision, key: String(version.key), value })
    })
    const truth = this.#oracle.changes.slice(this.#next, revision + 1).flatMap((changes) => changes.map(textOf))
    if (seen.join() !== truth.join()) {
      const range = `revisions ${this.#next} to ${revision}`
      world.violate(`${this.#name} saw [${seen.join()}] of ${range}, they are [${truth.join()}]`)
    }
    this.#next = Math.max(this.#next, revision + 1)
  }

  #skipTo(compactRevision: number): void {
    if (compactRevision < this.#next) {
      this.#parts.world.violate(`${this.#name} is at ${this.#next}; it was told that ${compactRevision} is compacted`)
    }
    this.#next = compactRevision
    this.start()
  }
}

function textOf({ revision, key, value }: { revision: number; key: string; value: string | undefined }): string {
  return `${revision}:${key}${value === undefined ? '-' : `=${value}`}`
}
