/** Takes the messages of a stream apart, and puts payloads that came in parts together again. */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'

/** A whole request or response, encoded. */
export interface Frame {
  readonly id: number
  /** A view of the message, or a copy if it came in parts. Undefined if it was too large to be kept. */
  readonly payload: Uint8Array | undefined
  /** How large it was. */
  readonly bytes: number
}

interface Part {
  readonly id: number
  readonly bytes: Uint8Array
  readonly more: boolean
}

export class Inbox {
  readonly #maxPayloadBytes: number
  /** Id of the payload that has begun and not ended, its parts so far (none if it is too large), and their size. */
  #begun: number | undefined
  #parts: Uint8Array[] = []
  #size = 0

  /** @param maxPayloadBytes of a larger one nothing is kept. */
  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /**
   * The payloads that `message` completes, in the order of their ends.
   * @throws MalformedMessage if it is not a batch of frames, or a payload is left unfinished for another.
   */
  take(message: Uint8Array): readonly Frame[] {
    const frames: Frame[] = []
    const reader = new ProtoReader(message)
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) this.#add(decodePart(reader.message()), frames)
      else reader.skip()
    }
    return frames
  }

  #add({ id, bytes, more }: Part, frames: Frame[]): void {
    if (this.#begun !== undefined && this.#begun !== id) throw new MalformedMessage(`payload ${this.#begun} has no end`)
    this.#size += bytes.length
    if (this.#size <= this.#maxPayloadBytes) this.#parts.push(bytes)
    else this.#parts = []
    this.#begun = more ? id : undefined
    if (more) return
    frames.push({
      id,
      payload: this.#size <= this.#maxPayloadBytes ? whole(this.#parts) : undefined,
      bytes: this.#size,
    })
    this.#parts = []
    this.#size = 0
  }
}

function whole(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts)
}

function decodePart(reader: ProtoReader): Part {
  let id = 0
  let bytes: Uint8Array = new Uint8Array()
  let more = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.int()
    else if (field === 2) bytes = reader.bytes()
    else if (field === 3) more = reader.bool()
    else reader.skip()
  }
  return { id, bytes, more }
}
