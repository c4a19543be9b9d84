/** What the handles of one log in memory have in common: its records. */

let topics = 0

export class MemoryTopic {
  readonly logId: string
  /** Only ever appended to, so that a reader keeps its own view; dropping replaces the array. */
  #records: Uint8Array[] = []
  #startOffset: number
  #sizeBytes = 0
  /** Followers that have read everything. */
  readonly #waiting: (() => void)[] = []

  constructor(startOffset: number, logId = `memory-${++topics}`) {
    this.logId = logId
    this.#startOffset = startOffset
  }

  get records(): readonly Uint8Array[] {
    return this.#records
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#startOffset + this.#records.length
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Returns the offset of the first. */
  add(records: readonly Uint8Array[]): number {
    const baseOffset = this.endOffset
    for (const record of records) {
      this.#records.push(record)
      this.#sizeBytes += record.length
    }
    this.wake()
    return baseOffset
  }

  dropBefore(offset: number): void {
    const dropped = Math.min(Math.max(0, offset - this.#startOffset), this.#records.length)
    for (const record of this.#records.slice(0, dropped)) this.#sizeBytes -= record.length
    this.#records = this.#records.slice(dropped)
    this.#startOffset += dropped
  }

  /** Resolves at the next `wake`: when there are more records, or a handle was closed. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** The log as it is now: what happens to either from here on is nothing to the other. */
  copy(): MemoryTopic {
    const copy = new MemoryTopic(this.#startOffset, this.logId)
    copy.add(this.#records)
    return copy
  }
}
