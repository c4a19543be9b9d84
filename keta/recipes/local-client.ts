/**
 * A client of this node's own services, on behalf of one call of somebody else: with that call's credentials, and as
 * long as it lasts. So a recipe has no rights and no ways of its own: what it writes is checked and forwarded as if its
 * client had written it.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'

import {
  Watch,
  WatchCreateRequest_FilterType,
  type WatchCreateRequestSchema,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '../proto/gen/etcdserverpb/rpc_pb.js'
import { type Call, RpcError, type ServiceTable, STATUS } from '../transport/transport.ts'

/** Told of what comes of a watch. Neither may close the watch before it returns. */
export interface Watcher {
  /** @returns false if this is enough for now: see `OpenWatch.drained`. */
  next(response: WatchResponse): boolean
  /** The watch has ended; nothing comes any more. */
  failed(error: unknown): void
}

export interface OpenWatch {
  /** The watcher can take more again. */
  drained(): void
  close(): void
}

export class LocalClient {
  readonly #services: ServiceTable
  readonly #call: Call
  #waits = false
  #gone = false
  readonly #whenGone = new Set<() => void>()

  constructor(services: ServiceTable, call: Call) {
    this.#services = services
    this.#call = call
  }

  /** @throws what the method throws: an RpcError for a refusal. */
  async ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const served = this.#method(method.parent.typeName, method.name)
    if (served.kind !== 'unary') throw new Error(`${method.parent.typeName}/${method.name} is not unary`)
    const bytes = toBinary(method.input, create(method.input, request))
    const answer = await served.handle(served.decode(bytes), this.#call)
    return fromBinary(method.output, served.encode(answer))
  }

  watch(request: MessageInitShape<typeof WatchCreateRequestSchema>, watcher: Watcher): OpenWatch {
    const served = this.#method(Watch.typeName, Watch.method.watch.name)
    if (served.kind !== 'stream') throw new Error('Watch is not a stream')
    const handler = served.open(
      {
        send: (response) => watcher.next(fromBinary(WatchResponseSchema, served.encode(response))),
        end: () => watcher.failed(new RpcError(STATUS.UNAVAILABLE, 'etcdserver: server stopped')),
        fail: (error) => watcher.failed(error),
      },
      this.#call,
    )
    const init = { requestUnion: { case: 'createRequest', value: request } } as const
    const created = handler.message(served.decode(toBinary(WatchRequestSchema, create(WatchRequestSchema, init))))
    if (created instanceof Promise) created.catch((error: unknown) => watcher.failed(error))
    return { drained: () => handler.drained(), close: () => handler.closed() }
  }

  /**
   * Resolves when the key was deleted at `revision` or later, or when that cannot be known any more because the history
   * from there on is compacted: look again. Rejects when the call is over.
   */
  async untilDeleted(key: Uint8Array, revision: bigint): Promise<void> {
    let watch: OpenWatch | undefined
    let leave: () => void = () => undefined
    try {
      await new Promise<void>((resolve, reject) => {
        leave = this.#onGone(() => reject(abandoned()))
        const filters = [WatchCreateRequest_FilterType.NOPUT]
        watch = this.watch(
          { key, startRevision: revision, filters },
          {
            next(response) {
              if (response.events.length > 0 || isCompacted(response)) resolve()
              else if (response.canceled) reject(new RpcError(STATUS.UNKNOWN, response.cancelReason))
              return true
            },
            failed: reject,
          },
        )
      })
    } finally {
      leave()
      watch?.close()
    }
  }

  /** @throws RpcError if the call ended while it waited. */
  checkPresence(): void {
    if (this.#gone) throw abandoned()
  }

  #onGone(listener: () => void): () => void {
    if (!this.#waits) {
      this.#waits = true
      this.#call.onClosed(() => {
        this.#gone = true
        for (const each of this.#whenGone) each()
      })
    }
    if (this.#gone) listener()
    else this.#whenGone.add(listener)
    return () => this.#whenGone.delete(listener)
  }

  #method(service: string, name: string) {
    const served = this.#services.get(service)?.get(name)
    if (served === undefined) throw new Error(`${service}/${name} is not served by this node`)
    return served
  }
}

/** Whether the watch can go no further because what it needs is compacted. */
export function isCompacted({ canceled, compactRevision }: WatchResponse): boolean {
  return canceled && compactRevision > 0n
}

function abandoned(): RpcError {
  return new RpcError(STATUS.CANCELLED, 'context canceled')
}
