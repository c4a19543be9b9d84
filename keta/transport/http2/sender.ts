/** Sends DATA as far as the client takes it: by the windows of stream and connection, and by the socket. */
import { DEFAULT_FRAME_BYTES, DEFAULT_WINDOW, LARGEST_WINDOW } from './frames.ts'
import type { Share } from './memory.ts'
import { MESSAGE_HEAD_BYTES, type Output, writeMessageHead } from './output.ts'
import { ProtocolError } from './protocol-error.ts'
import { SendQueue } from './send-queue.ts'

/** A message up to this size is copied behind its head when it has to wait. */
const COPIED_BYTES = 4096
/** Larger frames would keep others waiting. */
const FRAME_BYTES_MAX = 64 * 1024

/** The sending side of a stream. */
export interface SendingStream {
  readonly id: number
  sendWindow: number
  /** There is one while something waits. */
  queue: SendQueue | undefined
  /** The queue has become shorter, or is gone. What waits for its end may be sent. */
  sent(): void
}

export class Sender {
  readonly #output: Output
  readonly #share: Share
  #window = DEFAULT_WINDOW
  /** Of new streams. */
  #initialWindow = DEFAULT_WINDOW
  #frameBytes = DEFAULT_FRAME_BYTES
  /** Streams that could send if the connection could, in the order of their turns. */
  readonly #ready = new Set<SendingStream>()
  #unsent = 0
  #isPumping = false

  constructor(output: Output, share: Share) {
    this.#output = output
    this.#share = share
  }

  get initialWindow(): number {
    return this.#initialWindow
  }

  /** What waits on all streams together, in bytes of memory. */
  get unsent(): number {
    return this.#unsent
  }

  message(stream: SendingStream, payload: Uint8Array): void {
    const length = MESSAGE_HEAD_BYTES + payload.length
    if (this.#maySend(stream, length)) {
      this.#spend(stream, length)
      this.#output.message(stream.id, payload)
      return
    }
    const isSmall = payload.length <= COPIED_BYTES
    const head = Buffer.allocUnsafe(isSmall ? length : MESSAGE_HEAD_BYTES)
    writeMessageHead(head, 0, payload.length)
    if (isSmall) {
      head.set(payload, MESSAGE_HEAD_BYTES)
      this.#enqueue(stream, head)
    } else this.#enqueue(stream, head, payload)
  }

  bytes(stream: SendingStream, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#maySend(stream, bytes.length)) {
      this.#spend(stream, bytes.length)
      this.#output.data(stream.id, bytes.length, false)
      this.#output.bytes(bytes, 0, bytes.length)
    } else this.#enqueue(stream, bytes)
  }

  /** The stream is over: what waits is dropped. */
  forget(stream: SendingStream): void {
    if (stream.queue === undefined) return
    this.#grow(-stream.queue.cost)
    stream.queue = undefined
    this.#ready.delete(stream)
  }

  /** Sends what has waited, one frame of each stream in turn. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    for (const stream of this.#ready) {
      if (this.#window <= 0 || this.#output.isFull) break
      this.#ready.delete(stream)
      this.#sendFrame(stream)
    }
    this.#isPumping = false
  }

  /** @throws ProtocolError if the window gets too large. */
  widenConnection(increment: number): void {
    this.#window += increment
    if (this.#window > LARGEST_WINDOW) throw tooWide(0)
    this.pump()
  }

  /** @throws ProtocolError if the window gets too large. */
  widen(stream: SendingStream, increment: number): void {
    stream.sendWindow += increment
    if (stream.sendWindow > LARGEST_WINDOW) throw tooWide(stream.id)
    if (stream.queue === undefined || stream.sendWindow <= 0) return
    this.#ready.add(stream)
    this.pump()
  }

  /** @throws ProtocolError if a window gets too large. */
  setInitialWindow(bytes: number, streams: Iterable<SendingStream>): void {
    const change = bytes - this.#initialWindow
    this.#initialWindow = bytes
    for (const stream of streams) {
      stream.sendWindow += change
      if (stream.sendWindow > LARGEST_WINDOW) throw tooWide(0)
      if (stream.queue !== undefined && stream.sendWindow > 0) this.#ready.add(stream)
    }
    this.pump()
  }

  /** The largest frame that the client takes. */
  setFrameBytes(bytes: number): void {
    this.#frameBytes = Math.min(bytes, FRAME_BYTES_MAX)
  }

  #maySend(stream: SendingStream, length: number): boolean {
    return (
      stream.queue === undefined &&
      length <= this.#frameBytes &&
      length <= this.#window &&
      length <= stream.sendWindow &&
      !this.#output.isFull
    )
  }

  #spend(stream: SendingStream, length: number): void {
    this.#window -= length
    stream.sendWindow -= length
  }

  #grow(bytes: number): void {
    this.#unsent += bytes
    this.#share.add(bytes)
  }

  #enqueue(stream: SendingStream, ...chunks: readonly Uint8Array[]): void {
    const queue = (stream.queue ??= new SendQueue())
    const before = queue.cost
    for (const chunk of chunks) queue.add(chunk)
    this.#grow(queue.cost - before)
    if (stream.sendWindow <= 0) return
    this.#ready.add(stream)
    this.pump()
  }

  #sendFrame(stream: SendingStream): void {
    const { queue } = stream
    if (queue === undefined) return
    const count = Math.min(queue.bytes, this.#frameBytes, this.#window, stream.sendWindow)
    if (count <= 0) return
    const before = queue.cost
    this.#spend(stream, count)
    this.#output.data(stream.id, count, false)
    queue.moveTo(this.#output, count)
    this.#grow(queue.cost - before)
    if (queue.bytes === 0) stream.queue = undefined
    else if (stream.sendWindow > 0) this.#ready.add(stream)
    stream.sent()
  }
}

function tooWide(streamId: number): ProtocolError {
  return new ProtocolError('FLOW_CONTROL_ERROR', 'a window beyond its limit', streamId)
}
