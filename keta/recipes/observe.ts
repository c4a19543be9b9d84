/** Election.Observe: every leader of an election, and every value that it proclaims. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import { KV, type ResponseHeader, type WatchCreateRequestSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Event, Event_EventType, type KeyValue } from '../proto/gen/mvccpb/kv_pb.js'
import { LeaderRequestSchema, LeaderResponseSchema } from '../proto/gen/v3electionpb/v3election_pb.js'
import {
  type Method,
  type ServerStream,
  type ServiceTable,
  stream,
  type StreamHandler,
} from '../transport/transport.ts'
import { everyKey, lineOf, oldest, revisionOf } from './line.ts'
import { isCompacted, LocalClient, type OpenWatch } from './local-client.ts'
import { refusal, withoutStatus } from './recipe.ts'

interface Sighting {
  readonly header: ResponseHeader
  readonly kv: KeyValue
}

export function observe(services: ServiceTable): Method {
  return stream<Uint8Array, Sighting>({
    decode: (bytes) => fromBinary(LeaderRequestSchema, bytes).name,
    encode: (seen) => toBinary(LeaderResponseSchema, create(LeaderResponseSchema, seen)),
    open: (out, call) => new Observer(out, new LocalClient(services, call)),
  })
}

class Observer implements StreamHandler<Uint8Array> {
  readonly #out: ServerStream<Sighting>
  readonly #client: LocalClient
  #started = false
  #closed = false
  #room = true
  #goOn: () => void = () => undefined
  #endWatch: () => void = () => undefined
  #watch: OpenWatch | undefined

  constructor(out: ServerStream<Sighting>, client: LocalClient) {
    this.#out = out
    this.#client = client
  }

  message(name: Uint8Array): void {
    if (this.#started) return
    this.#started = true
    this.#follow(lineOf(name)).catch((error: unknown) => this.#out.fail(withoutStatus(error)))
  }

  halfClosed(): void {
    // The call has one request; its end says nothing about the wish for answers.
  }

  drained(): void {
    this.#room = true
    this.#watch?.drained()
    this.#goOn()
  }

  closed(): void {
    this.#closed = true
    this.#endWatch()
    this.#goOn()
  }

  async #follow(line: Buffer): Promise<void> {
    while (!this.#closed) {
      const answer = await this.#client.ask(KV.method.range, oldest(line))
      const [kv] = answer.kvs
      const { header } = answer
      const seen = header && kv ? { header, kv } : await this.#firstCandidate(line, revisionOf(answer))
      if (seen === undefined) continue
      this.#send(seen)
      await this.#untilRoom()
      await this.#untilDeleted(seen)
    }
  }

  /** In an election without candidates: the next one. Undefined if it may have been missed. */
  async #firstCandidate(line: Buffer, startRevision: bigint): Promise<Sighting | undefined> {
    let first: Sighting | undefined
    await this.#events({ ...everyKey(line), startRevision }, ({ type, kv }, header) => {
      if (type !== Event_EventType.PUT || kv === undefined) return 'go on'
      first = { header: { ...header, revision: kv.modRevision }, kv }
      return 'done'
    })
    return first
  }

  async #untilDeleted({ header, kv: { key } }: Sighting): Promise<void> {
    await this.#events({ key, startRevision: header.revision + 1n }, ({ type, kv }, header) => {
      if (type === Event_EventType.DELETE || kv === undefined) return 'done'
      this.#send({ header, kv })
      return 'go on'
    })
  }

  /** Resolves when `on` has said so, when the history is compacted, or when the stream is closed. */
  async #events(
    request: MessageInitShape<typeof WatchCreateRequestSchema>,
    on: (event: Event, header: ResponseHeader) => 'go on' | 'done',
  ): Promise<void> {
    if (this.#closed) return
    let done = false
    const ended = new Promise<void>((resolve, reject) => {
      this.#endWatch = resolve
      this.#watch = this.#client.watch(request, {
        next: (response) => {
          if (isCompacted(response)) resolve()
          else if (response.canceled) reject(refusal(response.cancelReason))
          for (const event of response.events) {
            done ||= response.header === undefined || on(event, response.header) === 'done'
          }
          if (done) resolve()
          return this.#room
        },
        failed: reject,
      })
    })
    try {
      await ended
    } finally {
      this.#endWatch = () => undefined
      this.#watch?.close()
      this.#watch = undefined
    }
  }

  #send(seen: Sighting): void {
    if (!this.#out.send(seen)) this.#room = false
  }

  async #untilRoom(): Promise<void> {
    while (!this.#room && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#goOn = resolve
      })
    }
  }
}
