/** What waits to be sent on a stream, and its packing: many small payloads in one message, a large one in many. */
import { ProtoWriter } from '../bytes/proto-writer.ts'

/** Far below what any node takes as one message: the largest allowed request of a client, and 512 KiB besides. */
const MESSAGE_BYTES = 256 * 1024
/** Tags, id and lengths of a frame, at most. */
const FRAME_OVERHEAD_BYTES = 24

interface Outgoing {
  readonly id: number
  readonly payload: Uint8Array
}

export class Outbox {
  readonly #messageBytes: number
  readonly #waiting = new Map<number, Uint8Array>()
  /** What is left of a payload whose beginning has been taken. Nothing else goes before it. */
  #rest: Outgoing | undefined

  constructor(messageBytes = MESSAGE_BYTES) {
    this.#messageBytes = messageBytes
  }

  put(id: number, payload: Uint8Array): void {
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
    const writer = new ProtoWriter()
    if (this.#rest !== undefined) this.#write(writer, this.#rest)
    for (const [id, payload] of this.#waiting) {
      if (this.#rest !== undefined || !this.#fits(writer, payload)) break
      this.#waiting.delete(id)
      this.#write(writer, { id, payload })
    }
    return writer.finish()
  }

  /** A payload that is too large for any message begins one of its own. */
  #fits(writer: ProtoWriter, payload: Uint8Array): boolean {
    return writer.length === 0 || writer.length + FRAME_OVERHEAD_BYTES + payload.length <= this.#messageBytes
  }

  #write(writer: ProtoWriter, { id, payload }: Outgoing): void {
    const part = payload.subarray(0, this.#messageBytes)
    const more = part.length < payload.length
    this.#rest = more ? { id, payload: payload.subarray(part.length) } : undefined
    const frame = new ProtoWriter(part.length + FRAME_OVERHEAD_BYTES)
    frame.intField(1, id)
    frame.bytesField(2, part)
    frame.boolField(3, more)
    writer.messageField(1, frame.finish())
  }
}
