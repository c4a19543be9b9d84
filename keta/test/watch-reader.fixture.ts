/** One watch stream as its client sees it: what has come so far, and waiting for what must still come. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import {
  Watch,
  WatchCreateRequestSchema,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import type { Event } from '../proto/gen/mvccpb/kv_pb.js'
import type { ApiClient, MessageStream } from './api-client.fixture.ts'

const DEADLINE_MS = 30_000

export type WatchInit = MessageInitShape<typeof WatchCreateRequestSchema>

/** Everything. */
export const ALL = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) }

export class WatchReader {
  readonly answers: WatchResponse[] = []
  readonly events: Event[] = []
  /** Why the stream ended; undefined while it goes on. */
  ended: string | undefined
  readonly #stream: MessageStream
  #waiting: (() => void)[] = []

  /** It reads nothing before `read()`. */
  constructor(stream: MessageStream) {
    this.#stream = stream
    stream.onEnd((reason) => this.#end(reason))
  }

  /** A stream of its own that is read from the beginning. */
  static on(client: ApiClient): WatchReader {
    const reader = new WatchReader(client.stream(Watch.method.watch))
    reader.read()
    return reader
  }

  read(): void {
    this.#stream.onMessage((bytes) => {
      const answer = fromBinary(WatchResponseSchema, bytes)
      this.answers.push(answer)
      this.events.push(...answer.events)
      this.#notify()
    })
  }

  create(init: WatchInit): void {
    this.send(createRequest(init))
  }

  cancel(watchId: bigint): void {
    const requestUnion = { case: 'cancelRequest', value: { watchId } } as const
    this.send(toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion })))
  }

  send(bytes: Uint8Array): void {
    this.#stream.send(Buffer.from(bytes))
  }

  /** @throws if the stream ends before, or after 30 s */
  async until(what: string, reached: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS
    while (!reached()) {
      const late = performance.now() > deadline
      if (this.ended !== undefined || late) {
        const state = `${this.answers.length} answers, ${this.events.length} events`
        throw new Error(`no ${what}: ${late ? 'too late' : String(this.ended)}, ${state}`)
      }
      await this.#next(deadline - performance.now())
    }
  }

  close(): void {
    this.#stream.close()
  }

  /** Resolves when something has happened, or after the time. */
  #next(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #end(reason: string): void {
    this.ended ??= reason
    this.#notify()
  }

  #notify(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

export function createRequest(init: WatchInit): Uint8Array {
  const requestUnion = { case: 'createRequest', value: create(WatchCreateRequestSchema, init) } as const
  return toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion }))
}
