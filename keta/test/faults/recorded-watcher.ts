/**
 * Watches of one stream that outlive it: when the connection ends, or is silent, they go on at another node after what
 * they know, as etcd's own clients do. Each watch on each connection is a session of the history.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Watch,
  WatchCreateRequest_FilterType as Filter,
  WatchRequestSchema,
  type WatchResponse as WireResponse,
  WatchResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { type Event, Event_EventType } from '../../proto/gen/mvccpb/kv_pb.js'
import { ApiClient, type MessageStream } from '../api-client.fixture.ts'
import type { KeyRange, WatchEvent, WatchResponse, WatchSession } from '../checkers/history.ts'
import type { Random } from '../differential/random.ts'
import { keyValueOf, rangeOnWire, toText } from './kv-wire.ts'
import type { Recorder } from './recorder.ts'

export const ALL_KEYS: KeyRange = { key: '\0', rangeEnd: '\0' }
const PROGRESS_MS = 250
/** A stream on which not even progress comes is given up. */
const SILENCE_MS = 2_500
const RECONNECT_MS = 100
/** Announced by the server on the whole stream. */
const STREAM_WIDE = -1n

export interface WatchWish extends KeyRange {
  readonly name: string
  /** Revision; 0: from the creation on, and after a break from what is known. */
  readonly from: number
  readonly prevKv?: boolean
  readonly noPut?: boolean
  readonly noDelete?: boolean
}

export interface WatcherPorts {
  readonly recorder: Recorder
  readonly endpoints: readonly string[]
  readonly random: Random
  /** Of a stream that works well: it moves on to another node all the same. Never if absent. */
  readonly restlessMs?: number
}

interface Session {
  readonly wish: WatchWish
  readonly startRevision: number
  readonly responses: WatchResponse[]
}

export class RecordedWatcher {
  readonly #ports: WatcherPorts
  readonly #wishes: readonly WatchWish[]
  /** By name of the wish: the next revision that is not known; 0 before it is. */
  readonly #next = new Map<string, number>()
  readonly #stop = new AbortController()
  readonly #done: Promise<void>
  #sessions: Session[] = []
  #lastHeard = 0
  #connectedAt = 0

  constructor(ports: WatcherPorts, wishes: readonly WatchWish[]) {
    this.#ports = ports
    this.#wishes = wishes
    for (const { name, from } of wishes) this.#next.set(name, from)
    this.#done = this.#run()
  }

  /** Up to which revision every watch was told all. */
  get position(): number {
    return Math.min(...this.#next.values()) - 1
  }

  /** @throws if it is not there in time */
  async reach(revision: number, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs
    while (this.position < revision) {
      if (performance.now() > deadline) {
        throw new Error(`the watcher of ${this.#wishes[0]?.name} is at ${this.position}, not at ${revision}`)
      }
      await delay(20)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    const { endpoints, random } = this.#ports
    while (!this.#stop.signal.aborted) {
      const endpoint = random.pick(endpoints)
      const client = new ApiClient(endpoint, { reconnectMs: RECONNECT_MS })
      try {
        await this.#connection(client)
      } finally {
        client.close()
        this.#record(endpoint)
      }
      await delay(RECONNECT_MS)
    }
  }

  /** Resolves when the stream has ended or been given up. */
  #connection(client: ApiClient): Promise<void> {
    // All begin where the last of them is: as long as one begins after what there is, none is told of progress.
    const known = [...this.#next.values()].filter((next) => next > 0)
    const startRevision = (name: string): number => (this.#next.get(name) === 0 ? 0 : Math.min(...known))
    this.#sessions = this.#wishes.map((wish) => ({ wish, startRevision: startRevision(wish.name), responses: [] }))
    const stream = client.stream(Watch.method.watch)
    this.#connectedAt = this.#lastHeard = performance.now()
    return new Promise((resolve) => {
      let isOver = false
      const end = (): void => {
        isOver = true
        clearInterval(timer)
        this.#stop.signal.removeEventListener('abort', end)
        stream.close()
        resolve()
      }
      stream.onEnd(end)
      stream.onMessage((bytes) => {
        if (!isOver && this.#receive(fromBinary(WatchResponseSchema, bytes))) end()
      })
      for (const [index, session] of this.#sessions.entries()) createWatch(stream, index + 1, session)
      const timer = setInterval(() => {
        if (this.#isOver()) end()
        else if (this.#sessions.every(({ responses }) => responses.length > 0)) requestProgress(stream)
      }, PROGRESS_MS)
      this.#stop.signal.addEventListener('abort', end)
    })
  }

  #isOver(): boolean {
    const { restlessMs = Infinity } = this.#ports
    const now = performance.now()
    return now - this.#lastHeard > SILENCE_MS || now - this.#connectedAt > restlessMs
  }

  /** @returns whether a watch was cancelled. */
  #receive(message: WireResponse): boolean {
    this.#lastHeard = performance.now()
    const response = this.#responseOf(message)
    if (message.watchId === STREAM_WIDE && !message.canceled) {
      for (const session of this.#sessions) this.#note(session, { ...response, progress: true })
      return false
    }
    const session = this.#sessions[Number(message.watchId) - 1]
    if (session === undefined) throw new Error(`an answer to watch ${message.watchId}, which nobody created`)
    this.#note(session, response)
    return message.canceled
  }

  #note({ wish: { name }, responses }: Session, response: WatchResponse): void {
    responses.push(response)
    const { canceled, compactRevision, created, events, fragment, progress, revision } = response
    const known = this.#next.get(name) ?? 0
    const last = events.at(-1)
    if (canceled) this.#next.set(name, Math.max(known, compactRevision ?? 0))
    else if (created && known === 0) this.#next.set(name, revision + 1)
    else if (last !== undefined) this.#next.set(name, Math.max(known, last.modRevision + (fragment ? 0 : 1)))
    else if (progress) this.#next.set(name, Math.max(known, revision + 1))
  }

  #responseOf({ header, created, canceled, compactRevision, fragment, events }: WireResponse): WatchResponse {
    return {
      at: this.#ports.recorder.now(),
      revision: Number(header?.revision ?? 0n),
      ...(created ? { created } : {}),
      ...(canceled ? { canceled } : {}),
      ...(compactRevision === 0n ? {} : { compactRevision: Number(compactRevision) }),
      ...(fragment ? { fragment } : {}),
      ...(!created && !canceled && events.length === 0 ? { progress: true } : {}),
      events: events.map(eventOf),
    }
  }

  #record(endpoint: string): void {
    for (const { wish, startRevision, responses } of this.#sessions) {
      const { name, from: _, ...asked } = wish
      const session: WatchSession = { kind: 'watch', watcher: name, endpoint, ...asked, startRevision, responses }
      this.#ports.recorder.add(session)
    }
  }
}

function createWatch(stream: MessageStream, watchId: number, { wish, startRevision }: Session): void {
  const { noPut, noDelete, prevKv = false } = wish
  const value = {
    ...rangeOnWire(wish),
    startRevision: BigInt(startRevision),
    watchId: BigInt(watchId),
    prevKv,
    progressNotify: true,
    filters: [...(noPut ? [Filter.NOPUT] : []), ...(noDelete ? [Filter.NODELETE] : [])],
  }
  const request = create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value } })
  stream.send(Buffer.from(toBinary(WatchRequestSchema, request)))
}

function requestProgress(stream: MessageStream): void {
  const request = create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } })
  stream.send(Buffer.from(toBinary(WatchRequestSchema, request)))
}

function eventOf({ type, kv, prevKv }: Event): WatchEvent {
  const key = toText(kv?.key ?? new Uint8Array())
  const before = prevKv === undefined ? {} : { prevKv: keyValueOf(prevKv) }
  if (type === Event_EventType.DELETE || kv === undefined) {
    return { type: 'delete', key, modRevision: Number(kv?.modRevision ?? 0n), ...before }
  }
  return { type: 'put', ...keyValueOf(kv), ...before }
}
