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

/** What all calls of a connection have in common. */
export interface CallHost {
  readonly streams: Streams
  readonly peer: string
  readonly admission: Admission
  readonly maxRequestBytes: number
  /** Told of what the handler of a method throws that is no RpcError. */
  readonly onDefect: (error: unknown, method: string) => void
  /** The call has its status, or its client is gone. */
  readonly onOver: (call: GrpcCall) => void
}

export interface CallOptions {
  readonly stream: Http2Stream
  readonly head: RequestHead
  readonly timeoutMs: number | undefined
}

export abstract class GrpcCall implements Call, StreamReceiver {
  protected readonly stream: Http2Stream
  protected readonly reader: MessageReader
  readonly #host: CallHost
  readonly #head: RequestHead
  readonly #deadline: NodeJS.Timeout | undefined
  #awaitingEnd: (() => void)[] | undefined
  #headersSent = false
  #isOver = false

  constructor(host: CallHost, { stream, head, timeoutMs }: CallOptions) {
    this.stream = stream
    this.reader = new MessageReader(stream, host.maxRequestBytes, head.encoding)
    this.#host = host
    this.#head = head
    this.#deadline =
      timeoutMs !== undefined && timeoutMs <= TIMER_MS_MAX
        ? setTimeout(() => this.fail(DEADLINE_EXCEEDED), Math.ceil(timeoutMs))
        : undefined
  }

  get peer(): string {
    return this.#host.peer
  }

  get certificate(): ClientCertificate | undefined {
    const { commonName } = this.#host.admission
    return commonName === undefined ? undefined : { commonName }
  }

  get isNode(): boolean {
    return this.#host.admission.isNode === true
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
    else (this.#awaitingEnd ??= []).push(listener)
  }

  /** Whether the method waits for something that may never come. */
  get waits(): boolean {
    return this.#awaitingEnd !== undefined
  }

  /** Anything but an RpcError is a defect. */
  fail(error: unknown): void {
    if (!this.#finish()) return
    const refusal = failureOf(error, (defect) => this.#host.onDefect(defect, this.#head.path.slice(1)))
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

  protected get streams(): Streams {
    return this.#host.streams
  }

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
    const listeners = this.#awaitingEnd ?? []
    this.#awaitingEnd = undefined
    for (const listener of listeners) listener()
  }

  #finish(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#deadline)
    this.#host.onOver(this)
    // Not at once: this may run inside of a call from the handler.
    if (this.waits) queueMicrotask(() => this.#tellEnd())
    return true
  }
}
