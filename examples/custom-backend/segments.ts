/**
 * The folders of a log.
 *
 *     <cluster>/0000000000000000/snapshot.json             what was before the first file of the segment
 *     <cluster>/0000000000000000/0000000000000000.json …   each a batch of commands; the last one seals the segment
 *     <cluster>/0000000000001000/…                         the next segment, named by its first file
 *
 * A file's name must never be free again: a writer that stood still would take it, and nobody would read it. So single
 * files are never removed, only whole segments, the oldest first; and a segment can only be made out of the one before,
 * which must still be there.
 */
import { randomUUID } from 'node:crypto'
import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { State } from './state.ts'

const SNAPSHOT = 'snapshot.json'

export const nameOf = (number: number) => String(number).padStart(16, '0')

/** Where a cluster's log is within the shared directory. The prefix is there for clusters that are called `..`. */
export const folderOf = (clusterId: string) => `cluster-${encodeURIComponent(clusterId)}`

/** The first segment, if the cluster has none. The folder comes with it, in one step, and never goes. */
export async function createLog(directory: string, cluster: string): Promise<void> {
  if (await exists(join(directory, cluster))) return
  const made = join(directory, `new-${randomUUID()}`)
  await mkdir(made)
  await makeSegment(join(made, nameOf(0)), new State())
  await renameNew(made, join(directory, cluster))
  await syncFolder(directory)
}

/** Begins the segment `number`, which all who have read the seal of `previous` may do: the first one does. */
export async function createSegment(log: string, previous: number, number: number, state: State): Promise<void> {
  const target = join(log, nameOf(number))
  if (await exists(target)) return
  const made = join(log, nameOf(previous), `next-${randomUUID()}`)
  // gone, it has had its successor
  await makeSegment(made, state).catch(ignoring('ENOENT'))
  await renameNew(made, target)
  await syncFolder(log)
}

/** The latest snapshot, and which segment it begins. */
export async function readLatest(log: string): Promise<{ readonly segment: number; readonly state: State }> {
  for (;;) {
    const segment = Math.max(...(await listSegments(log)))
    const text = await readIfThere(join(log, nameOf(segment), SNAPSHOT))
    if (text !== undefined) return { segment, state: State.fromJSON(text) }
  }
}

/** By number, ascending. */
export async function listSegments(log: string): Promise<readonly number[]> {
  const names = (await readdir(log)).filter((name) => /^\d{16}$/.test(name))
  return names.map(Number).sort((a, b) => a - b)
}

/** Removes all segments before `keep`; who still reads one goes on from the latest snapshot. */
export async function removeSegments(log: string, keep: number): Promise<void> {
  for (const number of await listSegments(log)) {
    if (number >= keep) break
    // first out of the way as a whole: names within it must not become free one by one
    await rename(join(log, nameOf(number)), join(log, `old-${randomUUID()}`)).catch(ignoring('ENOENT'))
  }
  const old = (await readdir(log)).filter((name) => name.startsWith('old-'))
  await Promise.all(
    old.map((name) => rm(join(log, name), { recursive: true, force: true }).catch(ignoring('ENOTEMPTY'))),
  )
}

/** undefined: not there, at a moment at which its segment was. 'removed': the segment is not there any more. */
export async function readFromSegment(log: string, segment: number, number: number) {
  const folder = join(log, nameOf(segment))
  const text = await readIfThere(join(folder, `${nameOf(number)}.json`))
  return text ?? ((await exists(join(folder, SNAPSHOT))) ? undefined : 'removed')
}

export async function exists(path: string): Promise<boolean> {
  return (await access(path).then(() => true, ignoring('ENOENT'))) ?? false
}

export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What has got a name in it keeps it when the power fails. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

async function makeSegment(folder: string, state: State): Promise<void> {
  // not its parents: a segment that has been removed must not come back
  await mkdir(folder)
  await writeDurably(join(folder, SNAPSHOT), JSON.stringify(state))
  await syncFolder(folder)
}

/** Fails silently if somebody else was first; a folder that is not empty is not replaced. */
async function renameNew(made: string, target: string): Promise<void> {
  try {
    await rename(made, target)
  } catch (error) {
    await rm(made, { recursive: true, force: true })
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(ignoring('ENOENT'))
}

function ignoring(code: string): (error: unknown) => undefined {
  return (error) => {
    if (!isCode(error, code)) throw error
  }
}
