/**
 * The process that kill-nine-log.test.ts kills: appends batches as fast as the log takes them, saves snapshots, drops
 * what they cover, and says on stdout, one line each, what was acknowledged. Arguments: data directory, seed.
 */
import { writeSync } from 'node:fs'
import { openDataDir } from '../log/local/data-dir.ts'
import { openLocalLog } from '../log/local/local-log.ts'
import { openSnapshotFiles } from '../log/local/snapshot-files.ts'
import type { SnapshotStore } from '../log/snapshots.ts'
import { KILL_NINE_SEGMENT_BYTES, batchAt, snapshotAt } from './kill-nine-log-content.ts'

const SNAPSHOT_EVERY_RECORDS = 100
const STDOUT = 1

const [directory = '', seed = '0'] = process.argv.slice(2)
await run(directory, Number(seed))

async function run(path: string, contentSeed: number): Promise<never> {
  const dataDir = openDataDir(path)
  const { logId, logDirectory, snapshotDirectory } = dataDir
  const snapshots = await openSnapshotFiles({ directory: snapshotDirectory, logId })
  const log = await openLocalLog({ directory: logDirectory, logId, segmentBytes: KILL_NINE_SEGMENT_BYTES })
  let snapshotEnd = ((await snapshots.list())[0]?.offset ?? -1) + 1
  say(`started ${log.endOffset}`)
  for (;;) {
    await log.append(batchAt(contentSeed, log.endOffset))
    say(`acknowledged ${log.endOffset}`)
    if (log.endOffset - snapshotEnd >= SNAPSHOT_EVERY_RECORDS) {
      snapshotEnd = log.endOffset
      await snapshot(snapshots, contentSeed, log.endOffset - 1)
      const oldest = (await snapshots.list()).at(-1)
      await log.dropBefore((oldest?.offset ?? -1) + 1)
    }
  }
}

async function snapshot(snapshots: SnapshotStore, contentSeed: number, offset: number): Promise<void> {
  await snapshots.save(offset, snapshotAt(contentSeed, offset))
  say(`snapshot ${offset}`)
  await snapshots.prune(2)
}

/** At once and into the pipe, so that what was said before the kill arrives. */
function say(line: string): void {
  writeSync(STDOUT, `${line}\n`)
}
