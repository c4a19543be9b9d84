/** What waits to be sent on a stream, and its packing: many small payloads in one message, a large one in many. */
import { bytesFieldLength, intFieldLength, ProtoWriter } from '../bytes/proto-writer.ts'
import type { Encoded } from './messages.ts'

/** Far below what any node takes as one message: the largest allowed request of a client, and 512 KiB besides. */
const MESSAGE_BYTES = 256 * 1024
/** Tags, id and lengths of a frame, at most. */
const FRAME_OVERHEAD_BYTES = 24
/** Of a boolean field: tag and value. */
const FLAG_BYTES = 2
/** The writer makes room for the longest number, however short the last one is. */
const LONGEST_NUMBER_BYTES = 10

/** A frame of the message that is being made: `payload` from `from` to `to`. */
interface Outgoing {
  readonly id: number
  readonly payload: Encoded
  readonly from: number
  readonly to: number
  /** Of the encoded frame without its own tag and length. */
  readonly bytes: number
}

export class Outbox {
  readonly #messageBytes: number
  readonly #waiting = new Map<number, Encoded>()
  /** A payload whose beginning has been taken, and how much of it. Nothing else goes before it. */
  #rest: { readonly id: number; readonly payload: Encoded; readonly from: number } | undefined

  constructor(messageBytes = MESSAGE_BYTES) {
    this.#messageBytes = messageBytes
  }

  /** The payload must not change until it has been taken. */
  put(id: number, payload: Encoded): void {
    this.#waiting.set(id, payload)
  }

  /** True: no byte of it has been taken, nor will be. */
  withdraw(id: number): boolean {
    return this.#waiting.delete(id)
  }

  clear(): void {
    this.#waiting.clear()
    this.#rest = undefined
  }

  /** The next message; undefined if nothing waits. Payloads keep the order in which they were put. */
  take(): Buffer | undefined {
    if (this.#rest === undefined && this.#waiting.size === 0) return undefined
    const frames: Outgoing[] = []
    let total = 0
    const add = (frame: Outgoing): void => {
      frames.push(frame)
      total += bytesFieldLength(frame.bytes)
    }
    if (this.#rest !== undefined) add(this.#next(this.#rest.id, this.#rest.payload, this.#rest.from))
    for (const [id, payload] of this.#waiting) {
      // A payload that is too large for any message begins one of its own.
      const fits = total === 0 || total + FRAME_OVERHEAD_BYTES + lengthOf(payload) <= this.#messageBytes
      if (this.#rest !== undefined || !fits) break
      this.#waiting.delete(id)
      add(this.#next(id, payload, 0))
    }
    return written(frames, total)
  }

  #next(id: number, payload: Encoded, from: number): Outgoing {
    const length = lengthOf(payload)
    const to = Math.min(length, from + this.#messageBytes)
    this.#rest = to < length ? { id, payload, from: to } : undefined
    const bytes = intFieldLength(id) + bytesFieldLength(to - from) + (to < length ? FLAG_BYTES : 0)
    return { id, payload, from, to, bytes }
  }
}

function lengthOf({ head, body }: Encoded): number {
  return head.length + body.length
}

/** All of it in one piece of memory, into which each payload is copied once. */
function written(frames: readonly Outgoing[], bytes: number): Buffer {
  const writer = new ProtoWriter(bytes + LONGEST_NUMBER_BYTES)
  for (const frame of frames) {
    writer.beginField(1, frame.bytes)
    writer.intField(1, frame.id)
    if (frame.to > frame.from) writePart(writer, frame)
    writer.boolField(3, frame.to < lengthOf(frame.payload))
  }
  return writer.finish()
}

function writePart(writer: ProtoWriter, { payload: { head, body }, from, to }: Outgoing): void {
  writer.beginField(2, to - from)
  if (from < head.length) writer.raw(partOf(head, from, to))
  if (to > head.length) writer.raw(partOf(body, from - head.length, to - head.length))
}

function partOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return from <= 0 && to >= bytes.length ? bytes : bytes.subarray(Math.max(from, 0), to)
}
