/** What leaves on a connection: the frames of one turn of the event loop, written at once. */
import type { Socket } from 'node:net'
import type { Share } from './memory.ts'
import { DEFAULT_FRAME_BYTES, FLAG, FRAME, FRAME_HEAD_BYTES } from './frames.ts'

/** Before a message of gRPC: whether it is compressed, and its length. */
export const MESSAGE_HEAD_BYTES = 5

/** From so many bytes on that the socket has not taken, nothing is added that can wait. */
const FULL_BYTES = 256 * 1024
const BUFFER_BYTES_MIN = 512
const BUFFER_BYTES_MAX = 64 * 1024
const NOTHING = Buffer.alloc(0)

export class Output {
  readonly #socket: Socket
  readonly #wake: () => void
  readonly #share: Share
  /** Of the share: what was handed to the socket, which has not taken it. */
  #inSocket = 0
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #buffer = NOTHING
  #at = 0
  /** Of the next buffer: as much as was written last. */
  #bufferBytes = BUFFER_BYTES_MIN
  #isBlocked = false

  /** @param wake called when there is something to flush. */
  constructor(socket: Socket, share: Share, wake: () => void) {
    this.#socket = socket
    this.#share = share
    this.#wake = wake
  }

  /** The client does not take what it is sent: DATA has to wait for `unblocked`. */
  get isFull(): boolean {
    return this.#isBlocked || this.pending > FULL_BYTES
  }

  /** Bytes that have not been handed to the socket. */
  get pending(): number {
    return this.#chunkBytes + this.#at
  }

  unblocked(): void {
    this.#isBlocked = false
    this.#count(0)
  }

  /** A whole frame. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.#reserve(FRAME_HEAD_BYTES + payload.length)
    this.#head(payload.length, type, flags, streamId)
    this.#copy(payload, 0, payload.length)
  }

  /** A header block, in as many frames as it needs. */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    const end = endStream ? FLAG.END_STREAM : 0
    if (block.length <= DEFAULT_FRAME_BYTES) {
      this.frame(FRAME.HEADERS, end | FLAG.END_HEADERS, streamId, block)
      return
    }
    this.frame(FRAME.HEADERS, end, streamId, block.subarray(0, DEFAULT_FRAME_BYTES))
    for (let at = DEFAULT_FRAME_BYTES; at < block.length; at += DEFAULT_FRAME_BYTES) {
      const part = block.subarray(at, at + DEFAULT_FRAME_BYTES)
      this.frame(FRAME.CONTINUATION, at + part.length === block.length ? FLAG.END_HEADERS : 0, streamId, part)
    }
  }

  /** A DATA frame with one message of gRPC. */
  message(streamId: number, payload: Uint8Array): void {
    const length = MESSAGE_HEAD_BYTES + payload.length
    this.#reserve(FRAME_HEAD_BYTES + length)
    this.#head(length, FRAME.DATA, 0, streamId)
    this.#at = writeMessageHead(this.#buffer, this.#at, payload.length)
    this.#copy(payload, 0, payload.length)
  }

  /** The head of a DATA frame; its payload has to follow with `bytes`. */
  data(streamId: number, length: number, endStream: boolean): void {
    this.#reserve(FRAME_HEAD_BYTES + length)
    this.#head(length, FRAME.DATA, endStream ? FLAG.END_STREAM : 0, streamId)
  }

  /** Payload that room has been reserved for. */
  bytes(from: Uint8Array, start: number, end: number): void {
    this.#copy(from, start, end)
  }

  /** A frame whose payload is one number. */
  number(type: number, streamId: number, value: number): void {
    this.#reserve(FRAME_HEAD_BYTES + 4)
    this.#head(4, type, 0, streamId)
    this.#at = this.#buffer.writeUInt32BE(value, this.#at)
  }

  flush(): void {
    const { pending } = this
    if (pending === 0) return
    this.#seal()
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunkBytes = 0
    this.#bufferBytes = Math.min(Math.max(pending, BUFFER_BYTES_MIN), BUFFER_BYTES_MAX)
    if (!this.#socket.writable) return
    if (chunks.length > 1) this.#socket.cork()
    for (const chunk of chunks) {
      if (!this.#socket.write(chunk)) this.#isBlocked = true
    }
    if (chunks.length > 1) this.#socket.uncork()
    if (this.#isBlocked) this.#count(this.#socket.writableLength)
  }

  #count(inSocket: number): void {
    this.#share.add(inSocket - this.#inSocket)
    this.#inSocket = inSocket
  }

  #head(length: number, type: number, flags: number, streamId: number): void {
    const buffer = this.#buffer
    let at = this.#at
    buffer[at++] = length >>> 16
    buffer[at++] = (length >>> 8) & 0xff
    buffer[at++] = length & 0xff
    buffer[at++] = type
    buffer[at++] = flags
    buffer[at++] = streamId >>> 24
    buffer[at++] = (streamId >>> 16) & 0xff
    buffer[at++] = (streamId >>> 8) & 0xff
    buffer[at++] = streamId & 0xff
    this.#at = at
  }

  #copy(from: Uint8Array, start: number, end: number): void {
    this.#buffer.set(start === 0 && end === from.length ? from : from.subarray(start, end), this.#at)
    this.#at += end - start
  }

  #reserve(bytes: number): void {
    if (this.pending === 0) this.#wake()
    if (this.#buffer.length - this.#at >= bytes) return
    if (this.#at > 0) this.#bufferBytes = Math.min(this.#bufferBytes * 2, BUFFER_BYTES_MAX)
    this.#seal()
    this.#buffer = Buffer.allocUnsafe(Math.max(bytes, this.#bufferBytes))
  }

  #seal(): void {
    if (this.#at > 0) this.#chunks.push(this.#buffer.subarray(0, this.#at))
    this.#chunkBytes += this.#at
    this.#buffer = NOTHING
    this.#at = 0
  }
}

/** Returns where the message begins. */
export function writeMessageHead(buffer: Buffer, at: number, length: number): number {
  buffer[at] = 0
  return buffer.writeUInt32BE(length, at + 1)
}
