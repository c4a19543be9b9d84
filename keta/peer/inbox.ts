/** Takes the messages of a stream apart, and puts payloads that came in parts together again. */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'

/** A whole request or response, encoded. */
export interface Frame {
  readonly id: number
  /** A view of the message, or a copy if it came in parts. */
  readonly payload: Uint8Array
}

interface Part {
  readonly id: number
  readonly bytes: Uint8Array
  readonly more: boolean
}

export class Inbox {
  readonly #maxPayloadBytes: number
  /** Parts of the payload that has begun and not ended. */
  #begun: Uint8Array[] = []
  #begunBytes = 0
  #begunId = 0

  /** @param maxPayloadBytes what is kept of a payload in parts, at most. */
  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes
  }

  /**
   * The payloads that `message` completes, in the order of their ends.
   * @throws MalformedMessage if it is not a batch of frames, or a payload is too large.
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
    if (this.#begun.length === 0 && !more) {
      frames.push({ id, payload: bytes })
      return
    }
    if (this.#begun.length > 0 && id !== this.#begunId) throw new MalformedMessage('a payload in parts does not end')
    this.#begunId = id
    this.#begunBytes += bytes.length
    if (this.#begunBytes > this.#maxPayloadBytes) {
      throw new MalformedMessage(`a payload of more than ${this.#maxPayloadBytes} bytes`)
    }
    this.#begun.push(bytes)
    if (more) return
    frames.push({ id, payload: Buffer.concat(this.#begun) })
    this.#begun = []
    this.#begunBytes = 0
  }
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
