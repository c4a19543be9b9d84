/** Cuts a stream of bytes into the messages of the protocol: a length of four bytes, then as many bytes. */

/** What no server sends: something else answers there. */
const LONGEST_FRAME = 1 << 30

export class Frames {
  #chunks: Buffer[] = []
  #length = 0

  /** @returns the messages that are complete now. @throws Error if this is no such stream. */
  push(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const frames: Buffer[] = []
    while (this.#length >= 4) {
      const size = this.#peekSize()
      if (size < 0 || size > LONGEST_FRAME) throw new Error(`a message of ${size} bytes is none of ZooKeeper's`)
      if (this.#length < 4 + size) break
      const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
      if (all === undefined) break
      frames.push(all.subarray(4, 4 + size))
      const rest = all.subarray(4 + size)
      this.#chunks = rest.length > 0 ? [rest] : []
      this.#length = rest.length
    }
    return frames
  }

  #peekSize(): number {
    const [first] = this.#chunks
    if (first !== undefined && first.length >= 4) return first.readInt32BE(0)
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all.readInt32BE(0)
  }
}
