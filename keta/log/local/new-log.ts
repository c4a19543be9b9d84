/** An empty log that begins behind a state that comes from elsewhere. */
import { join } from 'node:path'
import { writeFully } from './disk.ts'
import { realDisk } from './real-disk.ts'
import { encodeSegmentHeader, segmentName } from './segment.ts'

/**
 * The directory must exist and be empty. What is appended there first gets `firstOffset`.
 * @throws the operating system's error
 */
export async function makeEmptyLog(directory: string, logId: Uint8Array, firstOffset: number): Promise<void> {
  const file = await realDisk.open(join(directory, segmentName(firstOffset)), 'create')
  try {
    await writeFully(file, encodeSegmentHeader(logId, firstOffset), 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await realDisk.syncDirectory(directory)
}
