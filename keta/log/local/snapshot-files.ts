/** The snapshot store in files, one per snapshot. A file gets its name only when all of it is durable. */
import { join } from 'node:path'
import { LogError } from '../log.ts'
import type { SnapshotInfo, SnapshotStore } from '../snapshots.ts'
import type { Disk, DiskFile } from './disk.ts'
import { readFully, writeFully } from './disk.ts'
import { diskFailure, isSystemError } from './disk-failure.ts'
import { realDisk } from './real-disk.ts'
import {
  CHUNK_HEADER_BYTES,
  encodeSnapshotHeader,
  SNAPSHOT_HEADER_BYTES,
  SnapshotSum,
  snapshotName,
  snapshotOffsetOf,
  TRAILER_BYTES,
  trailerFits,
} from './snapshot-format.ts'

const UNFINISHED_SUFFIX = '.new'
/**
 * A snapshot is written beside appends, on the same device. Its dirty pages are pushed out bit by bit, because one
 * big sync at the end would hold up the fdatasync of every append until it is through.
 */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024

export interface SnapshotFilesOptions {
  readonly directory: string
  /** Of the log whose state is kept: a snapshot of another log is not listed. */
  readonly logId: Uint8Array
  readonly disk?: Disk
}

/**
 * Opens the store, creating its directory, and removes what a crash left half written.
 * @throws LogError 'NO_SPACE', 'IO'.
 */
export async function openSnapshotFiles(options: SnapshotFilesOptions): Promise<SnapshotStore> {
  const { directory, disk = realDisk } = options
  try {
    await disk.makeDirectory(directory)
    for (const name of await disk.list(directory)) {
      if (name.endsWith(UNFINISHED_SUFFIX)) {
        await disk.unlink(join(directory, name))
      }
    }
  } catch (error) {
    throw diskFailure(error, `opening the snapshots in ${directory}`)
  }
  return new SnapshotFiles(directory, options.logId, disk)
}

class SnapshotFiles implements SnapshotStore {
  readonly #directory: string
  readonly #logId: Uint8Array
  readonly #disk: Disk

  constructor(directory: string, logId: Uint8Array, disk: Disk) {
    this.#directory = directory
    this.#logId = logId
    this.#disk = disk
  }

  async save(offset: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotInfo> {
    const path = this.#pathOf(offset)
    const unfinished = path + UNFINISHED_SUFFIX
    const file = await attempt(`creating ${unfinished}`, () => this.#disk.open(unfinished, 'create'))
    try {
      const sizeBytes = await this.#write(file, offset, chunks)
      await attempt(`naming ${path}`, async () => {
        await this.#disk.rename(unfinished, path)
        await this.#disk.syncDirectory(this.#directory)
      })
      return { offset, sizeBytes }
    } catch (error) {
      // What made it fail matters more than whether the remains could be removed: the next start does that as well.
      await Promise.allSettled([this.#disk.unlink(unfinished)])
      throw error
    }
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    return attempt(`listing ${this.#directory}`, async () => {
      const offsets = await this.#offsets()
      const found = await Promise.all(offsets.map((offset) => this.#inspect(offset)))
      return found.filter((info) => info !== undefined)
    })
  }

  async *load({ offset }: SnapshotInfo): AsyncGenerator<Uint8Array> {
    const path = this.#pathOf(offset)
    const file = await this.#openForLoading(path)
    let reading: Promise<Buffer> | undefined
    try {
      const size = await attempt(`reading ${path}`, () => file.size())
      const start = await read(file, SNAPSHOT_HEADER_BYTES + CHUNK_HEADER_BYTES, 0)
      const header = start.subarray(0, SNAPSHOT_HEADER_BYTES)
      if (!header.equals(encodeSnapshotHeader(this.#logId, offset))) {
        throw corrupt(path, 0, 'its header is not that of a snapshot of this log at this offset')
      }
      const sum = new SnapshotSum(header)
      const end = size - TRAILER_BYTES
      let position = SNAPSHOT_HEADER_BYTES
      let chunkHeader = start.subarray(SNAPSHOT_HEADER_BYTES)
      reading = readChunk(file, chunkHeader, position, end)
      while (reading !== undefined) {
        const bytes: Buffer = await reading
        const chunk = bytes.subarray(0, bytes.length - CHUNK_HEADER_BYTES)
        const here = position
        const said = chunkHeader
        position += CHUNK_HEADER_BYTES + chunk.length
        chunkHeader = bytes.subarray(chunk.length)
        // The next chunk is on its way while this one is verified and used.
        reading = readChunk(file, chunkHeader, position, end)
        if (!sum.add(chunk).equals(said)) {
          throw corrupt(path, here, `the CRC of its chunk of ${chunk.length} bytes does not hold`)
        }
        yield chunk
      }
      if (!sum.trailer().equals(await read(file, TRAILER_BYTES, end))) {
        throw corrupt(path, end, 'its trailer does not say what its chunks add up to')
      }
    } finally {
      await Promise.allSettled([reading])
      await file.close()
    }
  }

  async prune(keep: number): Promise<void> {
    await attempt(`pruning ${this.#directory}`, async () => {
      const usable = await this.list()
      const oldestKept = usable[keep - 1]?.offset ?? Number.NEGATIVE_INFINITY
      for (const offset of await this.#offsets()) {
        if (keep === 0 || offset < oldestKept) {
          await this.#disk.unlink(this.#pathOf(offset))
        }
      }
      await this.#disk.syncDirectory(this.#directory)
    })
  }

  async #write(
    file: DiskFile,
    offset: number,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const doing = `writing ${file.path}`
    try {
      const header = encodeSnapshotHeader(this.#logId, offset)
      const sum = new SnapshotSum(header)
      await attempt(doing, () => writeFully(file, header, 0))
      let position = SNAPSHOT_HEADER_BYTES
      let synced = 0
      for await (const chunk of chunks) {
        await attempt(doing, async () => {
          await writeFully(file, sum.add(chunk), position)
          await writeFully(file, chunk, position + CHUNK_HEADER_BYTES)
          position += CHUNK_HEADER_BYTES + chunk.length
          if (position - synced >= SYNC_EVERY_BYTES) {
            await file.datasync()
            synced = position
          }
        })
      }
      await attempt(doing, async () => {
        await writeFully(file, sum.trailer(), position)
        await file.datasync()
      })
      return position + TRAILER_BYTES
    } finally {
      await file.close()
    }
  }

  /** Newest first; of all files with a snapshot's name, good or not. */
  async #offsets(): Promise<number[]> {
    const names = await this.#disk.list(this.#directory)
    const offsets = names.map(snapshotOffsetOf).filter((offset) => offset !== undefined)
    return offsets.sort((a, b) => b - a)
  }

  async #inspect(offset: number): Promise<SnapshotInfo | undefined> {
    const file = await this.#disk.open(this.#pathOf(offset), 'read')
    try {
      const sizeBytes = await file.size()
      if (sizeBytes < SNAPSHOT_HEADER_BYTES + TRAILER_BYTES) {
        return undefined
      }
      const header = await read(file, SNAPSHOT_HEADER_BYTES, 0)
      const trailer = await read(file, TRAILER_BYTES, sizeBytes - TRAILER_BYTES)
      const usable = header.equals(encodeSnapshotHeader(this.#logId, offset)) && trailerFits(trailer, sizeBytes)
      return usable ? { offset, sizeBytes } : undefined
    } finally {
      await file.close()
    }
  }

  async #openForLoading(path: string): Promise<DiskFile> {
    try {
      return await this.#disk.open(path, 'read')
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) {
        throw corrupt(path, 0, 'it is not there any more')
      }
      throw diskFailure(error, `opening ${path}`)
    }
  }

  #pathOf(offset: number): string {
    return join(this.#directory, snapshotName(offset))
  }
}

/**
 * Begins to read the chunk at `position` together with the header behind it, in one go; undefined at the trailer.
 * @throws LogError 'CORRUPT' when the chunk would reach beyond `end`.
 */
function readChunk(file: DiskFile, header: Buffer, position: number, end: number): Promise<Buffer> | undefined {
  if (position === end) {
    return undefined
  }
  const length = header.readUInt32LE(0)
  if (position + CHUNK_HEADER_BYTES + length > end) {
    throw corrupt(file.path, position, `its chunk of ${length} bytes reaches beyond the trailer at ${end}`)
  }
  const reading = read(file, length + CHUNK_HEADER_BYTES, position + CHUNK_HEADER_BYTES)
  // It may fail while the consumer is still busy with the chunk before; it is awaited after that.
  reading.catch(() => undefined)
  return reading
}

async function read(file: DiskFile, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  const count = await attempt(`reading ${file.path}`, () => readFully(file, bytes, position))
  if (count < length) {
    throw corrupt(file.path, position, `it ends ${length - count} bytes too early`)
  }
  return bytes
}

async function attempt<Result>(doing: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    throw diskFailure(error, doing)
  }
}

function corrupt(path: string, position: number, reason: string): LogError {
  return new LogError(
    'CORRUPT',
    `snapshot ${path} is damaged at byte ${position}: ${reason}. An older one serves as well.`,
  )
}
