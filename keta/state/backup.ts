/**
 * The content of a backup: a dump of the state as one stream of bytes, as `etcdctl snapshot save` writes it to a file.
 *
 *     "KETABAK\n", a byte with the format version
 *     each chunk of the dump: its length (4 bytes, little-endian), its bytes
 *     a length of 0, then zeros up to a multiple of 512 bytes
 *
 * Behind it the SHA-256 of all that, 32 bytes: by this length etcdctl knows that a file is whole.
 */
export const BACKUP_MAGIC = 'KETABAK\n'
export const BACKUP_FORMAT_VERSION = 1
/** What stands before the first chunk, and before each. */
export const BACKUP_HEAD_BYTES = BACKUP_MAGIC.length + 1
export const LENGTH_BYTES = 4
export const BACKUP_BLOCK_BYTES = 512
export const DIGEST_BYTES = 32

/** @param chunks of a dump, see snapshot-dump.ts */
export function* backupOf(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let size = BACKUP_HEAD_BYTES
  yield Buffer.concat([Buffer.from(BACKUP_MAGIC, 'latin1'), Buffer.of(BACKUP_FORMAT_VERSION)])
  for (const chunk of chunks) {
    if (chunk.length === 0) continue
    yield lengthOf(chunk.length)
    yield chunk
    size += LENGTH_BYTES + chunk.length
  }
  yield lengthOf(0)
  size += LENGTH_BYTES
  yield Buffer.alloc(-size & (BACKUP_BLOCK_BYTES - 1))
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES)
  bytes.writeUInt32LE(length)
  return bytes
}
