/** One watch stream on each of the two servers: the same requests go to both, and what they send is compared. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { setTimeout as delay } from 'node:timers/promises'
import {
  WatchCreateRequestSchema,
  WatchRequestSchema,
  WatchResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { difference } from './compare.ts'
import type { RawStream } from './connection.ts'
import type { Pair } from './pair.ts'
import { show } from './show.ts'
import { showEvent, WatchTape } from './watch-tape.ts'

export type WatchInit = MessageInitShape<typeof WatchCreateRequestSchema>

const PATH = '/etcdserverpb.Watch/Watch'
const TIMEOUT_MS = 15_000
/** etcd brings watches from past revisions up to date every 100 ms, and is silent to a progress request before. */
const PROGRESS_RETRY_MS = 60

export class WatchPair {
  /** Watches that are running, with their start revisions. */
  readonly active = new Map<bigint, bigint>()
  readonly #pair: Pair
  readonly #label: string
  readonly #left = new WatchTape()
  readonly #right = new WatchTape()
  readonly #streams: readonly RawStream[]

  constructor(pair: Pair, label: string) {
    this.#pair = pair
    this.#label = label
    const open = (side: 'left' | 'right', tape: WatchTape): RawStream =>
      pair.stream(side, PATH, { onMessage: (bytes) => tape.receive(bytes), onEnd: (reason) => tape.end(reason) })
    this.#streams = [open('left', this.#left), open('right', this.#right)]
  }

  /** Creates a watch, and sees through its cancellation where its start is compacted. */
  async create(init: WatchInit): Promise<void> {
    const request = create(WatchCreateRequestSchema, init)
    this.#send(`create ${show(request)}`, { requestUnion: { case: 'createRequest', value: request } })
    const created = await this.#control('an answer to a create request')
    if (created.canceled) return
    this.active.set(created.watchId, request.startRevision)
    if (request.startRevision > 0n && request.startRevision < this.#pair.world.compacted) {
      await this.#control('a cancellation of a watch from a compacted revision')
      await this.#cancelRunning(created.watchId)
    }
  }

  /** Cancels any watch id; a running watch after its events are compared, because it may send some more until then. */
  async cancel(id: bigint): Promise<void> {
    if (this.active.has(id)) {
      await this.settle()
      await this.#cancelRunning(id)
    } else {
      this.#send(`cancel ${id}`, { requestUnion: { case: 'cancelRequest', value: { watchId: id } } })
    }
  }

  /** Waits until both servers have sent everything up to now, and compares it. */
  async settle(): Promise<void> {
    const { revision } = this.#pair.world
    if (this.active.size > 0) {
      const hasFuture = [...this.active.values()].some((start) => start > revision)
      if (hasFuture) await this.#until(() => this.#left.eventCount() === this.#right.eventCount())
      else await Promise.all([this.#progress(this.#left, 0), this.#progress(this.#right, 1)])
    }
    this.#compareTapes()
  }

  close(): void {
    for (const stream of this.#streams) stream.close()
  }

  async #cancelRunning(id: bigint): Promise<void> {
    this.#send(`cancel ${id}`, { requestUnion: { case: 'cancelRequest', value: { watchId: id } } })
    this.active.delete(id)
    await this.#control('an answer to a cancel request')
  }

  /** Asks for progress until it is told; it may be told only when every event before is sent. */
  async #progress(tape: WatchTape, side: 0 | 1): Promise<void> {
    const { revision } = this.#pair.world
    const request = create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } })
    const deadline = performance.now() + TIMEOUT_MS
    tape.progress = 0n
    while (tape.progress < revision && tape.violation === undefined) {
      if (performance.now() > deadline) return this.#fail(side, `tells no progress to revision ${revision}`)
      this.#streams[side]?.send(toBinary(WatchRequestSchema, request))
      const retry = performance.now() + PROGRESS_RETRY_MS
      while (tape.progress < revision && performance.now() < retry) await delay(1)
    }
    if (tape.progress > revision) this.#fail(side, `tells progress to ${tape.progress} at revision ${revision}`)
  }

  #send(note: string, init: MessageInitShape<typeof WatchRequestSchema>): void {
    this.#pair.note(`Watch ${this.#label}: ${note}`)
    const bytes = toBinary(WatchRequestSchema, create(WatchRequestSchema, init))
    for (const stream of this.#streams) stream.send(bytes)
  }

  /** The next control answer, from both servers and compared. */
  async #control(what: string) {
    await this.#until(() => this.#left.controls.length > 0 && this.#right.controls.length > 0)
    const [left, right] = [this.#left.controls.shift(), this.#right.controls.shift()]
    if (!left || !right) return this.#fail(left ? 1 : 0, `does not send ${what}`)
    this.#pair.compare(WatchResponseSchema, left, right)
    return left
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS
    while (!condition() && performance.now() < deadline) {
      if (this.#left.violation !== undefined || this.#right.violation !== undefined) break
      await delay(1)
    }
    this.#checkViolations()
  }

  #checkViolations(): void {
    if (this.#left.violation !== undefined) this.#fail(0, this.#left.violation)
    if (this.#right.violation !== undefined) this.#fail(1, this.#right.violation)
  }

  #compareTapes(): void {
    this.#checkViolations()
    const { names } = this.#pair
    const unasked = show([this.#left.controls, this.#right.controls])
    if (unasked !== '[[],[]]') this.#pair.expectNone(`watch stream ${this.#label}, not asked for: ${unasked}`)
    const [left, right] = [this.#left.takeEvents(), this.#right.takeEvents()]
    for (const id of new Set([...left.keys(), ...right.keys()])) {
      const [a, b] = [left.get(id) ?? [], right.get(id) ?? []]
      const i = Array.from({ length: Math.max(a.length, b.length) }).findIndex((_, n) => a[n] !== b[n])
      if (i === -1) continue
      const place = `event ${i} of ${a.length} and ${b.length} since the last check`
      const where = `watch stream ${this.#label}, watch ${id}, ${place}`
      this.#pair.expectNone(`${where}\n${difference(names, showEvent(a[i]), showEvent(b[i]))}`)
    }
  }

  #fail(side: 0 | 1, what: string): never {
    const name = side === 0 ? this.#pair.names.left : this.#pair.names.right
    this.#pair.expectNone(`watch stream ${this.#label}: ${name} ${what}`)
    throw new Error('unreachable: a found difference is thrown')
  }
}
