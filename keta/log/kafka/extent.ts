/** What this node has heard of how far the log reaches and how large it is. */
export class Extent {
  #startOffset: number
  #endOffset: number
  /** `sizeBytes` counts the records below it. */
  #sizedTo: number
  #sizeBytes: number

  constructor(startOffset: number, endOffset: number, sizeBytes: number) {
    this.#startOffset = startOffset
    this.#endOffset = endOffset
    this.#sizedTo = endOffset
    this.#sizeBytes = sizeBytes
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The records between the offsets are in the log; those not counted yet count with their share of the bytes. */
  holds(fromOffset: number, endOffset: number, bytes: number): void {
    this.ends(endOffset)
    if (endOffset <= this.#sizedTo) return
    const share = (endOffset - Math.max(fromOffset, this.#sizedTo)) / (endOffset - fromOffset)
    this.#sizeBytes += Math.round(bytes * share)
    this.#sizedTo = endOffset
  }

  /** A broker that has just become the leader may know less than is known here: nothing moves back. */
  ends(endOffset: number): void {
    this.#endOffset = Math.max(this.#endOffset, endOffset)
  }

  /** The same. */
  begins(startOffset: number): void {
    if (startOffset <= this.#startOffset) return
    const held = Math.max(0, this.#sizedTo - startOffset) / Math.max(1, this.#sizedTo - this.#startOffset)
    this.#sizeBytes = Math.round(this.#sizeBytes * held)
    this.#startOffset = startOffset
    this.#sizedTo = Math.max(this.#sizedTo, startOffset)
    this.ends(startOffset)
  }
}
