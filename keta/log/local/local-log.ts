/**
 * The local log: segment files in one directory, one frame and one fdatasync per append. segment-format.md describes
 * the bytes, recovery.ts what opening does. One process at a time: the caller holds the data directory's lock.
 */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { AppendReceipt, Log, LogRecord } from '../log.ts'
import { LogError } from '../log.ts'
import type { Disk, DiskFile } from './disk.ts'
import { writeFully } from './disk.ts'
import { diskFailure, isSystemError } from './disk-failure.ts'
import { Preallocation } from './preallocation.ts'
import { realDisk } from './real-disk.ts'
import type { RecoveryProgress, Segment, TornTail } from './recovery.ts'
import { recoverSegments, UNFINISHED_SUFFIX } from './recovery.ts'
import {
  encodeFrame,
  encodeSegmentHeader,
  forEachRecord,
  frameSeed,
  LOG_ID_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './segment.ts'
import type { Frame } from './segment-scan.ts'
import { SegmentScanner } from './segment-scan.ts'
import { Syncer } from './syncer.ts'

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
const DEFAULT_PREALLOCATE_BYTES = 1024 * 1024

export interface LocalLogOptions {
  readonly directory: string
  /** 16 bytes, the same for the life of the log: a segment of another log is refused. */
  readonly logId: Uint8Array
  /** A segment that has reached this size gets no further batch. Default 64 MiB. */
  readonly segmentBytes?: number
  /** Zeros are written ahead in steps of this size (preallocation.ts); 0 = never. Default 1 MiB. */
  readonly preallocateBytes?: number
  readonly disk?: Disk
  /** Told of a torn tail that was cut on opening. */
  readonly warn?: (cut: TornTail) => void
  readonly progress?: (progress: RecoveryProgress) => void
}

/**
 * Opens the log, creating it when the directory is empty. Every frame is read and verified before the promise resolves.
 * @throws LogError 'CORRUPT', 'NO_SPACE', 'IO'.
 */
export async function openLocalLog(options: LocalLogOptions): Promise<Log> {
  const { directory, logId, disk = realDisk } = options
  if (logId.length !== LOG_ID_BYTES) {
    throw new RangeError(`a log id has ${LOG_ID_BYTES} bytes, not ${logId.length}`)
  }
  const { warn = ignore, progress = ignore } = options
  try {
    await disk.makeDirectory(directory)
    const segments = await recoverSegments({ disk, directory, logId, warn, progress })
    const last = segments.pop()
    if (last === undefined) {
      throw new Error(`recovery of ${directory} returned no segment`)
    }
    const file = await disk.open(last.path, 'write')
    const { segmentBytes = DEFAULT_SEGMENT_BYTES, preallocateBytes = DEFAULT_PREALLOCATE_BYTES } = options
    const place = { disk, directory, logId, segmentBytes, preallocateBytes }
    const preallocation = new Preallocation(file, await file.size(), preallocateBytes, segmentBytes)
    return new LocalLog(place, segments, { ...last, file, preallocation, seed: frameSeed(logId, last.baseOffset) })
  } catch (error) {
    throw diskFailure(error, `opening the log in ${directory}`)
  }
}

interface Place {
  readonly disk: Disk
  readonly directory: string
  readonly logId: Uint8Array
  readonly segmentBytes: number
  readonly preallocateBytes: number
}

/** The segment that is appended to; `endOffset` and `sizeBytes` are the durable ones. */
interface ActiveSegment {
  readonly path: string
  readonly baseOffset: number
  readonly file: DiskFile
  readonly preallocation: Preallocation
  readonly seed: number
  endOffset: number
  sizeBytes: number
}

class LocalLog implements Log {
  readonly #place: Place
  /** Full segments, oldest first; each begins where the one before it ends. */
  readonly #sealed: Segment[]
  readonly #syncer = new Syncer(() => performance.now())
  #active: ActiveSegment
  #sealedBytes: number
  #startOffset: number
  #inFlight: Promise<AppendReceipt> | undefined
  /** Once set, nothing is appended any more: after a failed fsync nobody knows what the page cache still holds. */
  #failure: LogError | undefined
  #dropping: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(place: Place, sealed: Segment[], active: ActiveSegment) {
    this.#place = place
    this.#sealed = sealed
    this.#active = active
    this.#startOffset = (sealed[0] ?? active).baseOffset
    this.#sealedBytes = sealed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#active.endOffset
  }

  get sizeBytes(): number {
    return this.#sealedBytes + this.#active.sizeBytes
  }

  append(records: readonly Uint8Array[]): Promise<AppendReceipt> {
    if (this.#closing !== undefined) {
      return Promise.reject(closed(this.#place.directory))
    }
    if (this.#inFlight !== undefined) {
      return Promise.reject(new LogError('APPEND_IN_FLIGHT', 'the previous append has not settled yet'))
    }
    if (this.#failure !== undefined) {
      return Promise.reject(this.#failure)
    }
    const newSegment =
      this.#active.sizeBytes >= this.#place.segmentBytes && this.#active.endOffset > this.#active.baseOffset
    try {
      this.#inFlight = this.#settle(newSegment ? this.#appendToNewSegment(records) : this.#appendToActive(records))
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error('the batch cannot be encoded', { cause: error }))
    }
    return this.#inFlight
  }

  async *read(fromOffset: number): AsyncGenerator<readonly LogRecord[]> {
    if (this.#closing !== undefined) {
      throw closed(this.#place.directory)
    }
    if (fromOffset < this.startOffset || fromOffset > this.endOffset) {
      throw outOfRange(fromOffset, this.startOffset, this.endOffset)
    }
    const { path, baseOffset, endOffset, sizeBytes } = this.#active
    for (const segment of [...this.#sealed, { path, baseOffset, endOffset, sizeBytes }]) {
      if (segment.endOffset > fromOffset) {
        yield* this.#readSegment(segment, fromOffset)
      }
    }
  }

  dropBefore(offset: number): Promise<void> {
    if (this.#closing !== undefined) {
      return Promise.reject(closed(this.#place.directory))
    }
    this.#dropping = this.#dropping.catch(ignore).then(() => this.#dropSegments(offset))
    return this.#dropping
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #settle(written: Promise<void>): Promise<AppendReceipt> {
    const baseOffset = this.#active.endOffset
    try {
      await written
      return { baseOffset }
    } catch (error) {
      this.#failure = appendFailed(error, baseOffset, this.#active.path)
      throw this.#failure
    } finally {
      this.#inFlight = undefined
    }
  }

  /** Throws at once for a batch that cannot be encoded; what is rejected later concerns the disk. */
  #appendToActive(records: readonly Uint8Array[]): Promise<void> {
    const { endOffset, seed } = this.#active
    return this.#writeToActive(encodeFrame(records, endOffset, seed), records.length)
  }

  async #writeToActive(frame: Buffer, recordCount: number): Promise<void> {
    const active = this.#active
    const end = active.sizeBytes + frame.length
    await active.preallocation.busyBelow(end)
    await writeFully(active.file, frame, active.sizeBytes)
    await this.#syncer.sync(active.file)
    active.sizeBytes = end
    active.endOffset += recordCount
    active.preallocation.advance(end)
  }

  #appendToNewSegment(records: readonly Uint8Array[]): Promise<void> {
    const { directory, logId } = this.#place
    const baseOffset = this.#active.endOffset
    const bytes = encodeFrame(records, baseOffset, frameSeed(logId, baseOffset), SEGMENT_HEADER_BYTES)
    bytes.set(encodeSegmentHeader(logId, baseOffset))
    return this.#startSegment(join(directory, segmentName(baseOffset)), bytes, records.length)
  }

  /**
   * The new segment is written with its first batch in it and gets its name only when both are durable, so that a
   * crash in between leaves the old segment as the whole log. Measured: 0.4 ms instead of 0.17 ms, once per segment.
   */
  async #startSegment(path: string, bytes: Buffer, recordCount: number): Promise<void> {
    const { disk, directory, logId, preallocateBytes, segmentBytes } = this.#place
    const full = this.#active
    const file = await disk.open(path + UNFINISHED_SUFFIX, 'create')
    try {
      await writeFully(file, bytes, 0)
      await file.datasync()
      await disk.rename(path + UNFINISHED_SUFFIX, path)
      await disk.syncDirectory(directory)
    } catch (error) {
      await file.close()
      throw error
    }
    const baseOffset = full.endOffset
    this.#sealed.push({
      path: full.path,
      baseOffset: full.baseOffset,
      endOffset: baseOffset,
      sizeBytes: full.sizeBytes,
    })
    this.#sealedBytes += full.sizeBytes
    const seed = frameSeed(logId, baseOffset)
    const preallocation = new Preallocation(file, bytes.length, preallocateBytes, segmentBytes)
    const sizeBytes = bytes.length
    this.#active = { path, baseOffset, file, preallocation, seed, endOffset: baseOffset + recordCount, sizeBytes }
    await closeSegment(full)
  }

  async *#readSegment(segment: Segment, fromOffset: number): AsyncGenerator<readonly LogRecord[]> {
    const file = await this.#openForReading(segment, fromOffset)
    try {
      const seed = frameSeed(this.#place.logId, segment.baseOffset)
      const scanner = new SegmentScanner(file, seed, SEGMENT_HEADER_BYTES, segment.sizeBytes, segment.baseOffset)
      let frames = await scanner.nextFrames()
      while (frames.length > 0) {
        const records = recordsOf(frames, fromOffset)
        if (records.length > 0) {
          yield records
        }
        frames = await scanner.nextFrames()
      }
      if (scanner.damage !== undefined) {
        const { position, reason } = scanner.damage
        throw new LogError(
          'CORRUPT',
          `${segment.path} was good when the log was opened, but at byte ${position}: ${reason}`,
        )
      }
    } catch (error) {
      throw diskFailure(error, `reading ${segment.path}`)
    } finally {
      await file.close()
    }
  }

  async #openForReading(segment: Segment, fromOffset: number): Promise<DiskFile> {
    try {
      return await this.#place.disk.open(segment.path, 'read')
    } catch (error) {
      if (isSystemError(error, 'ENOENT') && segment.baseOffset < this.startOffset) {
        throw outOfRange(fromOffset, this.startOffset, this.endOffset)
      }
      throw diskFailure(error, `reading ${segment.path}`)
    }
  }

  async #dropSegments(offset: number): Promise<void> {
    const { disk, directory } = this.#place
    for (let oldest = this.#sealed[0]; oldest !== undefined && oldest.endOffset <= offset; oldest = this.#sealed[0]) {
      // First, so that a reader which no longer finds the file knows why.
      this.#startOffset = oldest.endOffset
      try {
        await disk.unlink(oldest.path)
        this.#sealed.shift()
        this.#sealedBytes -= oldest.sizeBytes
        // One by one: a file system that made a later unlink durable before an earlier one would leave a gap.
        await disk.syncDirectory(directory)
      } catch (error) {
        throw diskFailure(error, `dropping ${oldest.path}`)
      }
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.#inFlight, this.#dropping])
    try {
      await closeSegment(this.#active)
    } catch (error) {
      throw diskFailure(error, `closing ${this.#active.path}`)
    }
  }
}

/** Zeros written ahead are given back. */
async function closeSegment({ file, preallocation, sizeBytes }: ActiveSegment): Promise<void> {
  try {
    await preallocation.stop()
    await file.truncate(sizeBytes)
  } finally {
    await file.close()
  }
}

function recordsOf(frames: readonly Frame[], fromOffset: number): LogRecord[] {
  const records: LogRecord[] = []
  for (const { baseOffset, recordCount, payload } of frames) {
    if (baseOffset + recordCount > fromOffset) {
      let offset = baseOffset
      forEachRecord(payload, recordCount, (bytes) => {
        if (offset >= fromOffset) {
          records.push({ offset, bytes })
        }
        offset++
      })
    }
  }
  return records
}

function appendFailed(error: unknown, baseOffset: number, path: string): LogError {
  const cause = diskFailure(error, `writing the batch at offset ${baseOffset} after ${path}`)
  const unknown = 'Whether the batch is in the log is known at the next start; until then nothing is appended'
  const message = `${cause.message}. ${unknown}`
  return new LogError('APPEND_FAILED', message, { cause })
}

function outOfRange(fromOffset: number, startOffset: number, endOffset: number): LogError {
  return new LogError(
    'OUT_OF_RANGE',
    `offset ${fromOffset} is not in the log, which holds ${startOffset} up to ${endOffset}`,
  )
}

function closed(directory: string): LogError {
  return new LogError('CLOSED', `the log in ${directory} is closed`)
}

function ignore(): void {
  // The default of optional callbacks, and for a promise whose failure its own caller has been told.
}
