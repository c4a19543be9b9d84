/** What all calls of gRPC have: metadata, a deadline, messages out, and one status. */
import type { Admission } from '../front/server-tls.ts'
import { failureOf } from '../failures.ts'
import type { Call, ClientCertificate } from '../transport.ts'
import { ANSWER_HEADERS, errorHeaders, errorTrailers, OK_TRAILERS } from './grpc-headers.ts'
import { MessageReader } from './message-reader.ts'
import { DEADLINE_EXCEEDED } from './opening.ts'
import type { RequestHead } from './request-head.ts'
import type { Http2Stream, StreamReceiver } from './stream.ts'
import type { Streams } from './streams.ts'

/** What Node's timers can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1

export interface CallOptions {
  readonly stream: Http2Stream
  readonly head: RequestHead
  readonly streams: Streams
  readonly peer: string
  readonly admission: Admission
  readonly maxRequestBytes: number
  readonly timeoutMs: number | undefined
  /** Told of what a handler throws that is no RpcError. */
  readonly onDefect: (error: unknown) => void
  /** The call has its status, or its client is gone. */
  readonly onOver: (call: GrpcCall) => void
}

export abstract class GrpcCall implements Call, StreamReceiver {
  readonly peer: string
  protected readonly stream: Http2Stream
  protected readonly streams: Streams
  protected readonly reader: MessageReader
  protected readonly onDefect: (error: unknown) => void
  readonly #head: RequestHead
  readonly #admission: Admission
  readonly #onOver: (call: GrpcCall) => void
  readonly #deadline: NodeJS.Timeout | undefined
  readonly #awaitingEnd: (() => void)[] = []
  #headersSent = false
  #isOver = false

  constructor(options: CallOptions) {
    const { stream, head, timeoutMs } = options
    this.peer = options.peer
    this.stream = stream
    this.streams = options.streams
    this.reader = new MessageReader(stream, options.maxRequestBytes, head.encoding)
    this.onDefect = options.onDefect
    this.#head = head
    this.#admission = options.admission
    this.#onOver = options.onOver
    this.#deadline =
      timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX
        ? setTimeout(() => this.fail(DEADLINE_EXCEEDED), Math.ceil(timeoutMs))
        : undefined
  }

  get certificate(): ClientCertificate | undefined {
    const { commonName } = this.#admission
    return commonName === undefined ? undefined : { commonName }
  }

  get isNode(): boolean {
    return this.#admission.isNode === true
  }

  /** The call has its status, or its client is gone. */
  get isOver(): boolean {
    return this.#isOver
  }

  metadata(name: string): string | undefined {
    const value = this.#head.fields.find((field) => field.name === name)?.value
    if (value === undefined || !name.endsWith('-bin')) return value
    return Buffer.from(value.split(',', 1)[0] ?? '', 'base64').toString('latin1')
  }

  onClosed(listener: () => void): void {
    if (this.#isOver) queueMicrotask(listener)
    else this.#awaitingEnd.push(listener)
  }

  /** Whether the method waits for something that may never come. */
  get waits(): boolean {
    return this.#awaitingEnd.length > 0
  }

  /** Anything but an RpcError is a defect. */
  fail(error: unknown): void {
    if (!this.#finish()) return
    const refusal = failureOf(error, this.onDefect)
    if (this.#headersSent) this.stream.end(errorTrailers(refusal))
    else this.stream.sendHeaders(errorHeaders(refusal), true)
    this.onStatus()
  }

  closed(): void {
    this.reader.discard()
    if (this.#finish()) this.onCancelled()
  }

  abstract data(bytes: Buffer, start: number, end: number): void
  abstract bodyEnd(): void
  abstract sent(): void

  /** It has its status. This may run inside of a call from its handler. */
  protected abstract onStatus(): void
  /** Its client is gone, before it had its status. */
  protected abstract onCancelled(): void

  protected sendMessage(payload: Uint8Array): void {
    if (!this.#headersSent) {
      this.#headersSent = true
      this.stream.sendHeaders(ANSWER_HEADERS)
    }
    this.stream.sendMessage(payload)
  }

  protected succeed(): void {
    if (!this.#finish()) return
    if (!this.#headersSent) this.stream.sendHeaders(ANSWER_HEADERS)
    this.stream.end(OK_TRAILERS)
    this.onStatus()
  }

  #tellEnd(): void {
    for (const listener of this.#awaitingEnd.splice(0)) listener()
  }

  #finish(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#deadline)
    this.#onOver(this)
    // Not at once: this may run inside of a call from the handler.
    if (this.waits) queueMicrotask(() => this.#tellEnd())
    return true
  }
}
