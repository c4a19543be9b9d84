/**
 * How requests and replies travel: a frame is `size: u32 · header size: u32 · header: JSON · body: bytes`, the size
 * that of all that follows it. Numbers are big-endian.
 */
import { BrokerError } from '../errors.ts'

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

/** More in one frame is taken for a mistake. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024
const SIZE_BYTES = 4

export function encodeFrame(header: object, body: Uint8Array = new Uint8Array()): Buffer {
  const json = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(2 * SIZE_BYTES)
  prefix.writeUInt32BE(SIZE_BYTES + json.length + body.length, 0)
  prefix.writeUInt32BE(json.length, SIZE_BYTES)
  return Buffer.concat([prefix, json, body])
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #pieces: Buffer[] = []
  #held = 0
  #wanted = SIZE_BYTES

  /** The frames that are complete now. @throws BrokerError INVALID_REQUEST for what is no frame. */
  push(piece: Buffer): readonly Frame[] {
    this.#pieces.push(piece)
    this.#held += piece.length
    const frames: Frame[] = []
    while (this.#held >= this.#wanted) {
      const [first = Buffer.alloc(0)] = this.#pieces
      const bytes = this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces)
      const size = SIZE_BYTES + bytes.readUInt32BE(0)
      if (size > MAX_FRAME_BYTES || size < 2 * SIZE_BYTES) throw bad(`a frame of ${size} bytes`)
      const isWhole = bytes.length >= size
      if (isWhole) frames.push(decode(bytes.subarray(SIZE_BYTES, size)))
      const rest = isWhole ? bytes.subarray(size) : bytes
      this.#pieces = [rest]
      this.#held = rest.length
      this.#wanted = isWhole ? SIZE_BYTES : size
    }
    return frames
  }
}

function decode(bytes: Buffer): Frame {
  const size = bytes.readUInt32BE(0)
  const end = SIZE_BYTES + size
  if (end > bytes.length) throw bad('a header that is longer than its frame')
  let header: unknown
  try {
    header = JSON.parse(bytes.toString('utf8', SIZE_BYTES, end))
  } catch {
    throw bad('a header that is not JSON')
  }
  if (typeof header !== 'object' || header === null) throw bad('a header that is no object')
  return { header: header as Frame['header'], body: bytes.subarray(end) }
}

function bad(what: string): BrokerError {
  return new BrokerError('INVALID_REQUEST', `received ${what}`)
}
