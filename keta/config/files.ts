/** Files that options name, read whole. */
import { readFileSync } from 'node:fs'

/** @throws the error of node:fs */
export type ReadFile = (path: string) => Buffer

export function readWholeFile(path: string): Buffer {
  return readFileSync(path)
}

/** Why a file could not be read, for a person. */
export function readFailure(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'this user may not read it'
  if (code === 'EISDIR') return 'it is a directory'
  return String(error)
}
