/** Folders in the project's cache: each is made once, and made again when what it is made of has changed. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withBuildLock } from './build-lock.ts'

const CACHE = fileURLToPath(new URL('../.cache', import.meta.url))

export interface CachedFolder {
  readonly name: string
  /** Another one whenever the content must be made again; see `stampOf`. */
  readonly stamp: string
  /** Fills a new and empty folder. */
  readonly make: (folder: string) => Promise<void>
}

/** Path of the folder. While it is not whole it has another name, and one process at a time makes it. */
export async function ensureFolder({ name, stamp, make }: CachedFolder): Promise<string> {
  const folder = join(CACHE, name)
  const isMade = (): boolean => {
    const stampFile = join(folder, 'built-from')
    return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  }
  if (isMade()) return folder
  await whileChanging(name, async () => {
    if (isMade()) return
    const fresh = `${folder}.new`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh)
    try {
      await make(fresh)
      writeFileSync(join(fresh, 'built-from'), stamp)
      rmSync(folder, { recursive: true, force: true })
      renameSync(fresh, folder)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
  })
  return folder
}

/** One process at a time changes the folder of that name. */
export async function whileChanging(name: string, work: () => Promise<void>): Promise<void> {
  mkdirSync(CACHE, { recursive: true })
  await withBuildLock(join(CACHE, `${name}.lock`), work)
}

/** Changes when the content of one of the files does. */
export function stampOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}
