/**
 * What opening the log does before a record is served: verifies every frame of every segment, cuts a torn tail, and
 * refuses whatever else is not as it was written. It never repairs by guessing: see segment-format.md, "Recovery".
 */
import { join } from 'node:path'
import { LogError } from '../log.ts'
import type { Disk, DiskFile } from './disk.ts'
import { readFully, readWhole, writeFully } from './disk.ts'
import { diskFailure } from './disk-failure.ts'
import {
  baseOffsetOf,
  encodeSegmentHeader,
  faultOfSegmentHeader,
  frameSeed,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './segment.ts'
import type { Damage } from './segment-scan.ts'
import { findFrame, SegmentScanner } from './segment-scan.ts'

export interface Segment {
  readonly path: string
  readonly baseOffset: number
  readonly endOffset: number
  readonly sizeBytes: number
}

interface RecoveredSegment extends Segment {
  /** Where its last frame begins; its size if it has none. */
  readonly lastFrameAt: number
}

export interface RecoveryProgress {
  readonly bytesRead: number
  readonly bytesTotal: number
}

/** A torn tail that was cut off the log. */
export interface TornTail {
  readonly path: string
  /** The file was cut at this byte. */
  readonly position: number
  readonly bytesCut: number
  /** Where the bytes cut were put aside; undefined when the device had no room for them. */
  readonly keptIn: string | undefined
  readonly reason: string
}

export interface RecoveryOptions {
  readonly disk: Disk
  readonly directory: string
  readonly logId: Uint8Array
  readonly warn: (cut: TornTail) => void
  readonly progress: (progress: RecoveryProgress) => void
}

/** Torn tails kept aside, per log. One is at most as long as one batch and the zeros written ahead of it. */
const TORN_FILES_KEPT = 3
const ZERO_CHECK_BYTES = 64 * 1024
const TORN_NAME = /\.torn-(\d+)$/
export const UNFINISHED_SUFFIX = '.new'

interface Found {
  readonly path: string
  readonly baseOffset: number
  readonly sizeBytes: number
}

/**
 * The verified segments in order; at least one.
 * @throws LogError 'CORRUPT' naming file, byte and what was expected; nothing is changed then. 'NO_SPACE', 'IO'.
 */
export async function recoverSegments(options: RecoveryOptions): Promise<Segment[]> {
  try {
    const found = await findSegments(options)
    const segments = await verifyAll(found, options)
    const last = segments.at(-1)
    if (last === undefined) {
      return [await createFirstSegment(options)]
    }
    await makeTailDurable(last, options)
    return segments
  } catch (error) {
    throw diskFailure(error, `recovery of the log in ${options.directory}`)
  }
}

async function findSegments({ disk, directory }: RecoveryOptions): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await disk.list(directory)) {
    const path = join(directory, name)
    const baseOffset = baseOffsetOf(name)
    if (baseOffset !== undefined) {
      found.push({ path, baseOffset, sizeBytes: await fileSize(disk, path) })
    } else if (name.endsWith(UNFINISHED_SUFFIX)) {
      // A segment gets its name only when its first batch is durable, and that batch is acknowledged only later.
      await disk.unlink(path)
    }
  }
  return found.sort((a, b) => a.baseOffset - b.baseOffset)
}

async function verifyAll(found: readonly Found[], options: RecoveryOptions): Promise<RecoveredSegment[]> {
  const bytesTotal = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const segments: RecoveredSegment[] = []
  let bytesBefore = 0
  for (const [index, segment] of found.entries()) {
    const previous = segments.at(-1)
    if (previous !== undefined && previous.endOffset !== segment.baseOffset) {
      throw gap(previous, segment)
    }
    const progress = (bytesRead: number): void => options.progress({ bytesRead: bytesBefore + bytesRead, bytesTotal })
    segments.push(await verifySegment(segment, index === found.length - 1, options, progress))
    bytesBefore += segment.sizeBytes
  }
  return segments
}

/** The segment as far as it is good. */
async function verifySegment(
  found: Found,
  isLast: boolean,
  options: RecoveryOptions,
  progress: (bytesRead: number) => void,
): Promise<RecoveredSegment> {
  const { path, baseOffset, sizeBytes } = found
  const seed = frameSeed(options.logId, baseOffset)
  const file = await options.disk.open(path, 'read')
  let damage: Damage | undefined
  let endOffset = baseOffset
  let lastFrameAt: number | undefined
  try {
    damage = await headerDamage(file, found, options.logId)
    if (damage === undefined) {
      const scanner = new SegmentScanner(file, seed, SEGMENT_HEADER_BYTES, sizeBytes, baseOffset)
      for (let frames = await scanner.nextFrames(); frames.length > 0; frames = await scanner.nextFrames()) {
        lastFrameAt = frames.at(-1)?.position
        progress(scanner.position)
      }
      damage = scanner.damage
      endOffset = scanner.offset
    }
  } finally {
    await file.close()
  }
  const end = damage?.position ?? sizeBytes
  if (damage !== undefined && (end < SEGMENT_HEADER_BYTES || !(await readsAsZeros(options.disk, path, end)))) {
    await refuseUnlessTornTail(found, damage, endOffset, isLast, seed, options.disk)
    await cutTail(found, damage, options)
  }
  progress(sizeBytes)
  return { path, baseOffset, endOffset, sizeBytes: end, lastFrameAt: lastFrameAt ?? end }
}

/** Never torn: a segment gets its name only when its header is durable. */
async function headerDamage(file: DiskFile, { baseOffset }: Found, logId: Uint8Array): Promise<Damage | undefined> {
  const whole = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const header = whole.subarray(0, await readFully(file, whole, 0))
  const reason = faultOfSegmentHeader(header, logId, baseOffset)
  return reason === undefined ? undefined : { position: 0, reason, torn: false }
}

async function refuseUnlessTornTail(
  found: Found,
  damage: Damage,
  offset: number,
  isLast: boolean,
  seed: number,
  disk: Disk,
): Promise<void> {
  if (!isLast) {
    throw corrupt(found, damage, offset, 'Newer segments follow, so a crash cannot have caused it.')
  }
  const tail = await readTail(disk, found.path, damage.position)
  const next = findFrame(tail.subarray(1), seed, offset)
  if (next !== undefined) {
    const where = damage.position + 1 + next
    throw corrupt(found, damage, offset, `A valid frame follows at byte ${where}, so a crash cannot have caused it.`)
  }
  if (!damage.torn) {
    throw corrupt(
      found,
      damage,
      offset,
      'All of it was written once and has changed since; it may have been acknowledged.',
    )
  }
}

function corrupt({ path, sizeBytes }: Found, { position, reason }: Damage, offset: number, why: string): LogError {
  return new LogError(
    'CORRUPT',
    `${path} is damaged at byte ${position} of ${sizeBytes}, where the record with offset ${offset} belongs: ` +
      `${reason}. ${why} Nothing was changed. Restore the data directory from a backup or start this member anew ` +
      'from the others. ' +
      `To give up every record from offset ${offset} on: copy the directory, delete newer segments, and ` +
      `${position === 0 ? 'delete this file' : `run "truncate -s ${position} ${path}"`}.`,
  )
}

function gap(previous: Segment, next: Found): LogError {
  return new LogError(
    'CORRUPT',
    `${previous.path} ends before offset ${previous.endOffset}, but the next segment, ${next.path}, begins at ` +
      `${next.baseOffset}: expected ${segmentName(previous.endOffset)}. A segment is missing or was put there ` +
      'by hand. ' +
      'Nothing was changed. Put the missing file back, or restore the data directory from a backup.',
  )
}

async function cutTail(found: Found, { position, reason }: Damage, options: RecoveryOptions): Promise<void> {
  const keptIn = await keepAside(found.path, position, options)
  const file = await options.disk.open(found.path, 'write')
  try {
    await file.truncate(position)
    await file.datasync()
  } finally {
    await file.close()
  }
  options.warn({ path: found.path, position, bytesCut: found.sizeBytes - position, keptIn, reason })
}

/** Copies what will be cut into a file beside the segment; on a full device it does without. */
async function keepAside(path: string, position: number, options: RecoveryOptions): Promise<string | undefined> {
  const { disk, directory } = options
  const kept = tornFiles(await disk.list(directory))
  const target = `${path}.torn-${(kept.at(-1)?.number ?? 0) + 1}`
  for (const { name } of kept.slice(0, Math.max(0, kept.length - TORN_FILES_KEPT + 1))) {
    await disk.unlink(join(directory, name))
  }
  const file = await disk.open(target, 'create')
  try {
    await writeFully(file, await readTail(disk, path, position), 0)
    await file.datasync()
  } catch (error) {
    if (diskFailure(error, target).code !== 'NO_SPACE') {
      throw error
    }
    await disk.unlink(target)
    return undefined
  } finally {
    await file.close()
  }
  await disk.syncDirectory(directory)
  return target
}

/**
 * Whatever was found will be served, so it must outlast a power failure, also if the process before this one died
 * between write and sync. After a sync that failed, Linux holds pages that reads see and no later sync writes
 * out: hence the last frame, the only one that can be in that state, is written again.
 */
async function makeTailDurable(last: RecoveredSegment, { disk, directory }: RecoveryOptions): Promise<void> {
  const file = await disk.open(last.path, 'write')
  try {
    const frame = Buffer.allocUnsafeSlow(last.sizeBytes - last.lastFrameAt)
    await readFully(file, frame, last.lastFrameAt)
    await writeFully(file, frame, last.lastFrameAt)
    await file.datasync()
  } finally {
    await file.close()
  }
  await disk.syncDirectory(directory)
}

function tornFiles(names: readonly string[]): { readonly name: string; readonly number: number }[] {
  return names
    .map((name) => ({ name, number: Number(TORN_NAME.exec(name)?.[1] ?? 0) }))
    .filter(({ number }) => number > 0)
    .sort((a, b) => a.number - b.number)
}

async function readTail(disk: Disk, path: string, position: number): Promise<Buffer> {
  const whole = await readWhole(disk, path)
  return Buffer.from(whole.buffer, whole.byteOffset + position, whole.length - position)
}

/** Whether nothing but zeros follows: space that was written ahead of the log's end (preallocation.ts). */
async function readsAsZeros(disk: Disk, path: string, from: number): Promise<boolean> {
  const file = await disk.open(path, 'read')
  try {
    const buffer = Buffer.alloc(ZERO_CHECK_BYTES)
    for (let position = from; ; ) {
      const read = await readFully(file, buffer, position)
      if (buffer.subarray(0, read).some((byte) => byte !== 0)) return false
      if (read < buffer.length) return true
      position += read
    }
  } finally {
    await file.close()
  }
}

async function createFirstSegment({ disk, directory, logId }: RecoveryOptions): Promise<Segment> {
  const path = join(directory, segmentName(0))
  const unfinished = path + UNFINISHED_SUFFIX
  const file = await disk.open(unfinished, 'create')
  try {
    await writeFully(file, encodeSegmentHeader(logId, 0), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await disk.rename(unfinished, path)
  await disk.syncDirectory(directory)
  return { path, baseOffset: 0, endOffset: 0, sizeBytes: SEGMENT_HEADER_BYTES }
}

async function fileSize(disk: Disk, path: string): Promise<number> {
  const file = await disk.open(path, 'read')
  try {
    return await file.size()
  } finally {
    await file.close()
  }
}
