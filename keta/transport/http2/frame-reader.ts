/** Cuts the bytes of a connection into frames, however they arrive. */
import { DEFAULT_FRAME_BYTES, FRAME_HEAD_BYTES, PREFACE } from './frames.ts'
import { ProtocolError } from './protocol-error.ts'

export interface FrameSink {
  /** The payload is `bytes` from `start` to before `end`. It is lent: who keeps it copies it. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void
}

export class FrameReader {
  readonly #sink: FrameSink
  /** A frame, or the preface, that has come in part: of its own size as soon as that is known. */
  #partial: Buffer
  #filled = 0
  /** What `#partial` needs before it can be looked at. */
  #needed = PREFACE.length
  #prefaceSeen = false

  constructor(sink: FrameSink) {
    this.#sink = sink
    this.#partial = Buffer.allocUnsafe(PREFACE.length)
  }

  /** @throws ProtocolError of the connection; nothing may be pushed after it. */
  push(chunk: Buffer): void {
    let at = 0
    while (this.#filled > 0 || !this.#prefaceSeen) {
      if (at === chunk.length) return
      at = this.#complete(chunk, at)
    }
    while (chunk.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + frameLength(chunk, at)
      if (end > chunk.length) break
      this.#emit(chunk, at, end)
      at = end
    }
    if (at < chunk.length) this.#begin(chunk, at)
  }

  /** Takes of the chunk what the partial frame lacks; returns where its own frames go on. */
  #complete(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#needed - this.#filled)
    chunk.copy(this.#partial, this.#filled, at, end)
    this.#filled += end - at
    if (!this.#prefaceSeen) this.#checkPreface()
    else if (this.#filled === this.#needed) {
      if (this.#needed === FRAME_HEAD_BYTES) this.#needed += frameLength(this.#partial, 0)
      if (this.#filled === this.#needed) this.#finish()
      else if (this.#partial.length < this.#needed) {
        const whole = Buffer.allocUnsafe(this.#needed)
        this.#partial.copy(whole, 0, 0, this.#filled)
        this.#partial = whole
      }
    }
    return end
  }

  #finish(): void {
    const whole = this.#partial
    const end = this.#needed
    this.#filled = 0
    this.#emit(whole, 0, end)
  }

  #checkPreface(): void {
    if (PREFACE.compare(this.#partial, 0, this.#filled, 0, this.#filled) !== 0) {
      throw new ProtocolError('PROTOCOL_ERROR', 'the connection does not begin with the preface of HTTP/2')
    }
    if (this.#filled < PREFACE.length) return
    this.#prefaceSeen = true
    this.#filled = 0
  }

  #begin(chunk: Buffer, at: number): void {
    const remaining = chunk.length - at
    this.#needed = FRAME_HEAD_BYTES + (remaining < FRAME_HEAD_BYTES ? 0 : frameLength(chunk, at))
    this.#partial = Buffer.allocUnsafe(this.#needed)
    this.#filled = chunk.copy(this.#partial, 0, at)
  }

  #emit(bytes: Buffer, at: number, end: number): void {
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff
    this.#sink.frame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes, at + FRAME_HEAD_BYTES, end)
  }
}

/** @throws ProtocolError if it is larger than this server allows, which is what every peer must take. */
function frameLength(bytes: Buffer, at: number): number {
  const length = bytes.readUIntBE(at, 3)
  if (length <= DEFAULT_FRAME_BYTES) return length
  throw new ProtocolError('FRAME_SIZE_ERROR', `a frame of ${length} bytes: at most ${DEFAULT_FRAME_BYTES} are allowed`)
}
