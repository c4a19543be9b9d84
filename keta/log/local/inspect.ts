/** Reads the log in a directory without changing it: what `keta log` shows. Opening it for a server mends its tail. */
import { join } from 'node:path'
import { LogError, type LogRecord } from '../log.ts'
import { readFully } from './disk.ts'
import { realDisk } from './real-disk.ts'
import { baseOffsetOf, faultOfSegmentHeader, forEachRecord, frameSeed, SEGMENT_HEADER_BYTES } from './segment.ts'
import { type Damage, SegmentScanner } from './segment-scan.ts'

export interface InspectedLog {
  /** Of the oldest record that is there, if any is. */
  readonly startOffset: number
  /** The records of each frame; views, valid until the next ones are asked for. */
  records(): AsyncGenerator<readonly LogRecord[]>
}

/** The end of the newest segment is a write that a crash cut short: nobody was told that it had happened. */
export interface UnfinishedWrite extends Damage {
  readonly path: string
}

/**
 * @param onUnfinished told of a torn end; any other damage is thrown by `records` as LogError 'CORRUPT'.
 * @throws the operating system's error
 */
export async function inspectLog(
  directory: string,
  logId: Uint8Array,
  onUnfinished: (write: UnfinishedWrite) => void,
): Promise<InspectedLog> {
  const names = await realDisk.list(directory)
  const segments = names
    .flatMap((name) => {
      const baseOffset = baseOffsetOf(name)
      return baseOffset === undefined ? [] : [{ path: join(directory, name), baseOffset }]
    })
    .sort((a, b) => a.baseOffset - b.baseOffset)
  return {
    startOffset: segments[0]?.baseOffset ?? 0,
    async *records() {
      let offset = segments[0]?.baseOffset ?? 0
      for (const [at, { path, baseOffset }] of segments.entries()) {
        if (baseOffset !== offset) throw new LogError('CORRUPT', `${path} begins where offset ${offset} belongs`)
        offset = yield* recordsOf(path, logId, baseOffset, at === segments.length - 1 ? onUnfinished : undefined)
      }
    },
  }
}

/** @returns the offset after the last record. */
async function* recordsOf(
  path: string,
  logId: Uint8Array,
  baseOffset: number,
  onUnfinished: ((write: UnfinishedWrite) => void) | undefined,
): AsyncGenerator<readonly LogRecord[], number> {
  const file = await realDisk.open(path, 'read')
  try {
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
    await readFully(file, header, 0)
    const fault = faultOfSegmentHeader(header, logId, baseOffset)
    if (fault !== undefined) throw new LogError('CORRUPT', `${path}, byte 0: ${fault}`)
    const seed = frameSeed(logId, baseOffset)
    const scanner = new SegmentScanner(file, seed, SEGMENT_HEADER_BYTES, await file.size(), baseOffset)
    for (let frames = await scanner.nextFrames(); frames.length > 0; frames = await scanner.nextFrames()) {
      for (const frame of frames) {
        const records: LogRecord[] = []
        forEachRecord(frame.payload, frame.recordCount, (bytes) => {
          records.push({ offset: frame.baseOffset + records.length, bytes })
        })
        yield records
      }
    }
    const { damage, offset } = scanner
    if (damage !== undefined && (onUnfinished === undefined || !damage.torn)) {
      throw new LogError('CORRUPT', `${path}, byte ${damage.position}, offset ${offset}: ${damage.reason}`)
    }
    if (damage !== undefined) onUnfinished?.({ ...damage, path })
    return offset
  } finally {
    await file.close()
  }
}
