/**
 * One call of grpc-js at the lowest level that its public interface has: what an interceptor sees. Messages are asked
 * for one by one, which is the back-pressure that the transport promises, and nothing is queued in a stream object
 * between.
 */
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js'

import type { Admission } from '../front/server-tls.ts'
import { type Call, type ClientCertificate, type RpcError, STATUS } from '../transport.ts'
import type { Admissions } from './admissions.ts'
import { goStatus, type WireStatus } from './go-status.ts'

/** Receives what happens to a call. After `closed`, which comes exactly once, there is only `gone`. */
export interface WireListener {
  opened(): void
  /** The message that was asked for with `read()`. */
  message(bytes: Buffer): void
  /** Instead of the message that was asked for: the client sends no more. */
  halfClosed(): void
  /** The call has its status, or its client is gone. */
  closed(): void
  /** grpc-js holds nothing of the call any more: the client has taken the answer and the status, or is gone. */
  gone(): void
}

const EMPTY_METADATA = new Metadata()

export class WireCall implements Call {
  readonly #call: ServerInterceptingCallInterface
  readonly #sendStatus: (status: WireStatus) => void
  #metadata = EMPTY_METADATA
  readonly #admissions: Admissions
  readonly #onClosed: () => void
  #listener: WireListener | undefined
  #closed = false
  readonly #awaitingEnd: (() => void)[] = []

  /**
   * grpc-js ends calls by itself too (message too large, deadline passed), through the same `sendStatus` that it
   * offers to others. It is replaced on this call, so that these statuses carry grpc-go's texts and end the call for
   * its handler.
   * @param admissions of the connections that there are.
   * @param onClosed called when the call has its status, or is gone.
   */
  constructor(call: ServerInterceptingCallInterface, admissions: Admissions, onClosed: () => void) {
    this.#call = call
    this.#admissions = admissions
    this.#onClosed = onClosed
    this.#sendStatus = call.sendStatus.bind(call)
    call.sendStatus = (status) => {
      this.#finish(goStatus(status))
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  get peer(): string {
    return this.#call.getPeer()
  }

  get certificate(): ClientCertificate | undefined {
    const commonName = this.#admission?.commonName
    return commonName === undefined ? undefined : { commonName }
  }

  get isNode(): boolean {
    return this.#admission?.isNode === true
  }

  get #admission(): Admission | undefined {
    return this.#admissions.of(this.#call)
  }

  metadata(name: string): string | undefined {
    const value = this.#metadata.get(name)[0]
    return typeof value === 'string' ? value : value?.toString('latin1')
  }

  onClosed(listener: () => void): void {
    if (this.#closed) queueMicrotask(listener)
    else this.#awaitingEnd.push(listener)
  }

  /** Whether the method waits for something that may never come. */
  get waits(): boolean {
    return this.#awaitingEnd.length > 0
  }

  start(listener: WireListener): void {
    this.#listener = listener
    this.#call.start({
      onReceiveMetadata: (metadata: Metadata) => {
        this.#metadata = metadata
        if (!this.#closed) listener.opened()
      },
      onReceiveMessage: (bytes: unknown) => {
        if (!this.#closed) listener.message(bytes as Buffer)
      },
      onReceiveHalfClose: () => {
        if (!this.#closed) listener.halfClosed()
      },
      onCancel: () => {
        this.#close()
        listener.gone()
      },
    })
  }

  /** Asks for one more message. It may come before this returns. */
  read(): void {
    if (!this.#closed) this.#call.startRead()
  }

  /** @param flushed called when the connection has taken the bytes; not called if the call ends before. */
  send(message: Uint8Array, flushed: () => void): void {
    if (!this.#closed) this.#call.sendMessage(asBuffer(message), flushed)
  }

  end(): void {
    this.#finish({ code: STATUS.OK, details: '' })
  }

  fail(error: RpcError): void {
    this.#finish({ code: error.status, details: wellFormed(error.message) })
  }

  #finish(status: WireStatus): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClosed()
    this.#sendStatus(status)
    // Not at once: this may run inside a call from the handler, which is told when that has returned.
    queueMicrotask(() => this.#tellEnd())
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClosed()
    this.#tellEnd()
  }

  #tellEnd(): void {
    this.#listener?.closed()
    for (const listener of this.#awaitingEnd.splice(0)) listener()
  }
}

/** What an interceptor has to hand to grpc-js: a call that, when started, is served by `serve` and by nothing else. */
export class ServedCall extends ServerInterceptingCall {
  readonly #serve: () => void

  constructor(call: ServerInterceptingCallInterface, serve: () => void) {
    super(call)
    this.#serve = serve
  }

  override start(): void {
    this.#serve()
  }
}

/** grpc-js asks for a Buffer, and copies it behind the length prefix. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** grpc-js encodes the text with encodeURI, which throws for half a surrogate pair. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}
