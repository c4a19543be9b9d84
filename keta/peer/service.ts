/** The answering side: a service for the table of a transport. */
import type { PeerHandler } from '../cluster/peers.ts'
import {
  type Call,
  type Method,
  RpcError,
  type ServerStream,
  STATUS,
  type StreamHandler,
  stream,
} from '../transport/transport.ts'
import { type Clock, processClock } from './clock.ts'
import { type Frame, Inbox } from './inbox.ts'
import { decodeRequest, encodeResponse, type WireResponse } from './messages.ts'
import { Outbox } from './outbox.ts'
import { EXCHANGE, SECRET_METADATA, VERSION, VERSION_METADATA } from './protocol.ts'
import { isSecret } from './secret.ts'

export interface PeerServiceOptions {
  /** Which an asker must know; see secret.ts. */
  readonly secret: string
  /** Told of what the handler throws. The asker is only told that nothing is known. */
  readonly onDefect: (error: unknown) => void
  /** Largest message of a client that another node may forward; a larger one is refused. What goes with it is small. */
  readonly maxRequestBytes: number
  /** Only who has shown by a certificate that it is a node is answered. */
  readonly onlyNodes?: boolean
  readonly clock?: Pick<Clock, 'soon'>
}

/** Method and metadata of a forwarded request: a token has some hundred bytes, a header line can have thousands. */
const HEAD_BYTES = 64 * 1024
/**
 * Of requests that have been read and not answered, per stream. From then on the stream is not read, and the asker
 * has to keep its requests. Answers that the asker does not take are bounded by it too: the transport reads no more
 * requests meanwhile, so that there can be no more answers than there were requests.
 */
const IN_FLIGHT_BYTES = 16 * 1024 * 1024
/** What a request in hand costs besides its bytes. */
const REQUEST_OVERHEAD_BYTES = 512

const GREETING = Buffer.alloc(0)

/** The methods of `PEER_SERVICE`. */
export function peerService(handler: PeerHandler, options: PeerServiceOptions): ReadonlyMap<string, Method> {
  const exchange = stream<Uint8Array, Uint8Array>({
    decode: (bytes) => bytes,
    encode: (bytes) => bytes,
    open: (out, call) => {
      if (options.onlyNodes === true) requireNode(call)
      requireVersion(call)
      requireSecret(call, options.secret)
      return new Exchange(out, handler, options)
    },
  })
  return new Map([[EXCHANGE, exchange]])
}

function requireNode({ isNode }: Call): void {
  if (isNode === true) return
  throw new RpcError(STATUS.PERMISSION_DENIED, 'only who has the certificate of a node is answered here')
}

function requireVersion(call: Call): void {
  const version = call.metadata(VERSION_METADATA) ?? 'none'
  if (version === VERSION) return
  const text = `this node speaks version ${VERSION} of the peer protocol, the other one: ${version}`
  throw new RpcError(STATUS.FAILED_PRECONDITION, text)
}

function requireSecret(call: Call, secret: string): void {
  if (isSecret(call.metadata(SECRET_METADATA), secret)) return
  throw new RpcError(STATUS.PERMISSION_DENIED, 'this service is for the nodes of the cluster')
}

class Exchange implements StreamHandler<Uint8Array> {
  readonly #out: ServerStream<Uint8Array>
  readonly #handler: PeerHandler
  readonly #onDefect: (error: unknown) => void
  readonly #clock: Pick<Clock, 'soon'>
  readonly #maxPayloadBytes: number
  readonly #inbox: Inbox
  readonly #outbox = new Outbox()
  #inFlightBytes = 0
  /** Lets the transport read on. */
  #readOn: (() => void) | undefined
  /** The asker does not keep up. */
  #full = false
  #flushing = false
  #closed = false

  constructor(out: ServerStream<Uint8Array>, handler: PeerHandler, options: PeerServiceOptions) {
    this.#out = out
    this.#handler = handler
    this.#onDefect = options.onDefect
    this.#clock = options.clock ?? processClock
    this.#maxPayloadBytes = options.maxRequestBytes + HEAD_BYTES
    this.#inbox = new Inbox(this.#maxPayloadBytes)
    this.#full = !out.send(GREETING)
  }

  message(message: Uint8Array): void | Promise<void> {
    for (const frame of this.#framesOf(message)) this.#handle(frame)
    if (this.#inFlightBytes < IN_FLIGHT_BYTES) return
    return new Promise((resolve) => {
      this.#readOn = resolve
    })
  }

  /** What has been asked is still answered: the asker has ended only its own side. */
  halfClosed(): void {
    // An asker never ends its side alone; should it, the stream ends with its connection.
  }

  drained(): void {
    this.#full = false
    this.#flush()
  }

  closed(): void {
    this.#closed = true
    this.#outbox.clear()
    this.#readOn?.()
  }

  #framesOf(message: Uint8Array): readonly Frame[] {
    try {
      return this.#inbox.take(message)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      throw new RpcError(STATUS.INVALID_ARGUMENT, `not a batch of frames: ${text}`, { cause: error })
    }
  }

  #handle(frame: Frame): void {
    const { id } = frame
    const cost = frame.bytes + REQUEST_OVERHEAD_BYTES
    this.#inFlightBytes += cost
    this.#responseTo(frame).then(
      (response) => this.#answer(id, cost, response),
      (error: unknown) => {
        this.#onDefect(error)
        this.#answer(id, cost, { kind: 'failed' })
      },
    )
  }

  async #responseTo({ payload, bytes }: Frame): Promise<WireResponse> {
    if (payload === undefined) return tooLarge(bytes, this.#maxPayloadBytes)
    const request = decodeRequest(payload)
    return request === undefined ? { kind: 'failed' } : this.#handler.handle(request)
  }

  #answer(id: number, cost: number, response: WireResponse): void {
    this.#inFlightBytes -= cost
    if (this.#closed) return
    this.#outbox.put(id, encodeResponse(response))
    this.#flushSoon()
    if (this.#readOn === undefined || this.#inFlightBytes >= IN_FLIGHT_BYTES) return
    const readOn = this.#readOn
    this.#readOn = undefined
    readOn()
  }

  /** Not at once: all answers of this turn travel together. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#clock.soon(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    while (!this.#full && !this.#closed) {
      const message = this.#outbox.take()
      if (message === undefined) return
      this.#full = !this.#out.send(message)
    }
  }
}

/** In the words of a node that gets such a request from its client. */
function tooLarge(bytes: number, maxBytes: number): WireResponse {
  const message = `grpc: received message larger than max (${bytes} vs. ${maxBytes})`
  return { kind: 'refusal', status: STATUS.RESOURCE_EXHAUSTED, message, appliedOffset: -1 }
}
