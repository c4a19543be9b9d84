/**
 * Looks at LMDB's file before LMDB does: the library ends the process with a segmentation fault when it is given a file
 * that is not its own. The layout is that of `MDB_page` and `MDB_meta` (data version 2), in the machine's byte order.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { BackingError } from '../backing.ts'

const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const MAGIC_OFFSET = 24
const VERSION_OFFSET = 28
const PAGE_SIZE_OFFSET = 48
const HEAD_BYTES = 52
const MAX_PAGE_BYTES = 65_536

/** A file that is not there yet, or empty, is one that LMDB makes. @throws BackingError 'CORRUPT' */
export function checkDatabaseFile(directory: string): void {
  const path = join(directory, 'data.mdb')
  const file = openIfThere(path)
  if (file === undefined) return
  try {
    if (fstatSync(file).size === 0) return
    const pageBytes = checkMetaPage(file, path, 0)
    checkMetaPage(file, path, pageBytes)
  } finally {
    closeSync(file)
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Returns the size of a page. */
function checkMetaPage(file: number, path: string, position: number): number {
  const head = Buffer.alloc(HEAD_BYTES)
  const read = readSync(file, head, 0, HEAD_BYTES, position)
  const numberAt = (offset: number): number =>
    endianness() === 'LE' ? head.readUInt32LE(offset) : head.readUInt32BE(offset)
  const pageBytes = numberAt(PAGE_SIZE_OFFSET)
  const isMeta = numberAt(MAGIC_OFFSET) === MAGIC && numberAt(VERSION_OFFSET) === DATA_VERSION
  if (read === HEAD_BYTES && isMeta && pageBytes >= HEAD_BYTES && pageBytes <= MAX_PAGE_BYTES) return pageBytes
  const remedy = 'If it may go, remove its directory: the state is then built anew from snapshot and log.'
  throw new BackingError('CORRUPT', `${path} is not a whole LMDB database of a known version. ${remedy}`)
}
