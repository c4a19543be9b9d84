/** Cuts the chunks of one save into parts and appends them in batches that the topic accepts. */
import { crc32c } from '../../bytes/crc32c.ts'
import type { SnapshotPartition } from './snapshot-partition.ts'
import type { Finished, SaveId } from './snapshot-records.ts'
import { encodePart, PART_HEADER_BYTES, partSum } from './snapshot-records.ts'

/** Larger batches are not faster, and hold up what else the broker has to do. */
const BATCH_BYTES = 1024 * 1024
/** What a batch takes beyond its records, and a record beyond its value, with some to spare. */
const BATCH_OVERHEAD_BYTES = 128
const RECORD_OVERHEAD_BYTES = 32

export type Written = Pick<Finished, 'fromPart' | 'endPart' | 'chunks' | 'parts' | 'sizeBytes' | 'checksum'>

export class SnapshotWriter {
  readonly #id: SaveId
  readonly #partition: Pick<SnapshotPartition, 'append'>
  readonly #largestPart: number
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #fromPart: number | undefined
  #endPart = 0
  #chunks = 0
  #parts = 0
  #sizeBytes = 0
  #checksum = 0

  constructor(id: SaveId, partition: Pick<SnapshotPartition, 'append'>, maxMessageBytes: number) {
    this.#id = id
    this.#partition = partition
    const overhead = BATCH_OVERHEAD_BYTES + RECORD_OVERHEAD_BYTES + PART_HEADER_BYTES
    this.#largestPart = Math.min(maxMessageBytes - overhead, BATCH_BYTES)
  }

  /** The chunk may be changed when this has resolved. @throws LogError 'IO', 'REFUSED' */
  async add(chunk: Uint8Array): Promise<void> {
    let at = 0
    do {
      const content = chunk.subarray(at, at + this.#largestPart)
      at += content.length
      await this.#addPart(content, at === chunk.length)
    } while (at < chunk.length)
    this.#chunks++
    this.#sizeBytes += chunk.length
  }

  /** @param fromPart where the save would begin if it has no parts. @throws LogError 'IO', 'REFUSED' */
  async finish(fromPart: number): Promise<Written> {
    await this.#flush()
    return {
      fromPart: this.#fromPart ?? fromPart,
      endPart: this.#fromPart === undefined ? fromPart : this.#endPart,
      chunks: this.#chunks,
      parts: this.#parts,
      sizeBytes: this.#sizeBytes,
      checksum: this.#checksum,
    }
  }

  async #addPart(content: Uint8Array, isLast: boolean): Promise<void> {
    const part = encodePart(this.#id, { number: this.#parts++, isLast, content })
    this.#checksum = crc32c(partSum(part), this.#checksum)
    const bytes = RECORD_OVERHEAD_BYTES + part.length
    if (this.#waitingBytes + bytes > RECORD_OVERHEAD_BYTES + PART_HEADER_BYTES + this.#largestPart) await this.#flush()
    this.#waiting.push(part)
    this.#waitingBytes += bytes
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return
    const first = await this.#partition.append(this.#waiting)
    this.#fromPart ??= first
    this.#endPart = first + this.#waiting.length
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
