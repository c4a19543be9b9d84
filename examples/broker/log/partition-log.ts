/**
 * The log of one partition: one file of batches, and an index of it in memory. Everything is done at once and in the
 * calling turn, so nothing happens between a decision and its writing.
 */
import { closeSync, fdatasyncSync, ftruncateSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { endOfEpoch, type EpochEnd, type EpochStart } from '../core/epochs.ts'
import { BrokerError } from '../errors.ts'
import { type BatchHeader, encodeBatch, readBatch, splitBatches } from './batch.ts'

export interface LogOptions {
  /** Of the partition; created if absent. */
  readonly folder: string
  /** Sync to disk when so many records have been written since the last time. */
  readonly flushMessages: number
}

interface Indexed extends BatchHeader {
  readonly position: number
}

const FILE = '00000000000000000000.log'

export class PartitionLog {
  readonly #fd: number
  readonly #flushMessages: number
  readonly #batches: Indexed[] = []
  #bytes = 0
  #unflushed = 0

  /** What a crash has left incomplete at the end is cut off. @throws BrokerError CORRUPT_LOG if there is a gap. */
  constructor({ folder, flushMessages }: LogOptions) {
    mkdirSync(folder, { recursive: true })
    this.#fd = openSync(join(folder, FILE), 'a+')
    this.#flushMessages = flushMessages
    this.#recover()
  }

  /** The offset that the next record gets. */
  get endOffset(): number {
    const last = this.#batches.at(-1)
    return last === undefined ? 0 : last.baseOffset + last.count
  }

  get epochs(): readonly EpochStart[] {
    const epochs: EpochStart[] = []
    for (const { leaderEpoch, baseOffset } of this.#batches) {
      if (leaderEpoch !== epochs.at(-1)?.epoch) epochs.push({ epoch: leaderEpoch, start: baseOffset })
    }
    return epochs
  }

  /** The leader epoch of the last record. */
  get lastEpoch(): number | undefined {
    return this.#batches.at(-1)?.leaderEpoch
  }

  endOfEpoch(epoch: number): EpochEnd {
    return endOfEpoch(this.epochs, this.endOffset, epoch)
  }

  /** As the leader. @returns the offset of the first. */
  append(records: readonly Uint8Array[], leaderEpoch: number): number {
    const baseOffset = this.endOffset
    this.#write(encodeBatch(baseOffset, leaderEpoch, records))
    return baseOffset
  }

  /** As a follower: batches of the leader, as they are. @throws BrokerError CORRUPT_LOG if they do not go on here. */
  appendBatches(bytes: Buffer): void {
    let expected = this.endOffset
    for (const { baseOffset, count } of splitBatches(bytes)) {
      if (baseOffset !== expected) {
        throw new BrokerError('CORRUPT_LOG', `a batch begins at ${baseOffset}, but the log ends at ${expected}`)
      }
      expected += count
    }
    if (bytes.length > 0) this.#write(bytes)
  }

  /**
   * Whole batches from the one that holds `offset`, up to `maxBytes` but at least one, none that ends after `before`.
   */
  read(offset: number, maxBytes: number, before = Infinity): Buffer {
    const first = this.#indexOf(offset)
    let end = first
    let size = 0
    for (; end < this.#batches.length; end++) {
      const batch = this.#batches[end]
      if (batch === undefined || batch.baseOffset + batch.count > before) break
      if (end > first && size + batch.size > maxBytes) break
      size += batch.size
    }
    const bytes = Buffer.alloc(size)
    const { position } = this.#batches[first] ?? { position: 0 }
    if (size > 0) readSync(this.#fd, bytes, 0, size, position)
    return bytes
  }

  /** Removes the records from `offset` on, and with them the whole batch that it lies in. */
  truncate(offset: number): void {
    const kept = this.#indexOf(offset)
    const first = this.#batches[kept]
    if (first === undefined) return
    ftruncateSync(this.#fd, first.position)
    fdatasyncSync(this.#fd)
    this.#bytes = first.position
    this.#batches.length = kept
  }

  flush(): void {
    if (this.#unflushed > 0) fdatasyncSync(this.#fd)
    this.#unflushed = 0
  }

  close(): void {
    this.flush()
    closeSync(this.#fd)
  }

  /** Of the first batch that ends after the offset. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      const { baseOffset, count } = this.#batches[middle] ?? { baseOffset: 0, count: 0 }
      if (baseOffset + count > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  #write(bytes: Buffer): void {
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.#fd, bytes, written)
    } catch (cause) {
      // half a batch would hide whatever is written after it
      ftruncateSync(this.#fd, this.#bytes)
      throw cause
    }
    this.#index(bytes)
  }

  #index(bytes: Buffer): void {
    for (const { bytes: _bytes, ...header } of splitBatches(bytes)) {
      this.#batches.push({ ...header, position: this.#bytes })
      this.#bytes += header.size
      this.#unflushed += header.count
    }
    if (this.#unflushed >= this.#flushMessages) this.flush()
  }

  #recover(): void {
    const { size } = fstatSync(this.#fd)
    const bytes = Buffer.alloc(size)
    for (let read = 0; read < size; ) {
      const more = readSync(this.#fd, bytes, read, size - read, read)
      if (more === 0) break
      read += more
    }
    for (let header = readBatch(bytes); header !== undefined; header = readBatch(bytes, this.#bytes)) {
      if (header.baseOffset !== this.endOffset) {
        const message = `at byte ${this.#bytes} the log goes on with ${header.baseOffset} instead of ${this.endOffset}`
        throw new BrokerError('CORRUPT_LOG', message)
      }
      this.#batches.push({ ...header, position: this.#bytes })
      this.#bytes += header.size
    }
    if (this.#bytes < size) ftruncateSync(this.#fd, this.#bytes)
    fdatasyncSync(this.#fd)
  }
}
