/**
 * The checksum of the store at a revision, equal to etcd's HashKV (server/storage/mvcc/hash.go), so that members, and
 * Keta and etcd, can be compared: CRC-32C over "key" (the name of etcd's bucket), then over each version that counts,
 * in the order of revisions: its key in etcd's database (big-endian revision, '_', sub, and 't' for a tombstone) and
 * its KeyValue, of which etcd stores only the key for a tombstone.
 *
 * Above the compacted revision C every version up to the hashed revision R counts. Of the versions ≤ C those count
 * that are alive at R; but if no key at all is alive at R, then all that the compaction left (etcd skips nothing when
 * its set of versions to keep is empty). A tombstone at exactly C never counts.
 */
import { EMPTY_KEY } from '../bytes/key.ts'
import { crc32c } from '../bytes/crc32c.ts'
import { bytesFieldLength } from '../bytes/proto-writer.ts'
import type { StoreParts } from './parts.ts'
import type { StoredVersion } from './stored-version.ts'

const BUCKET_NAME = Buffer.from('key', 'latin1')
const SUB_OFFSET = 9
const TOMBSTONE_MARK_OFFSET = 17

export function hashKvAt(parts: StoreParts, atRevision: number): number {
  const { compactRevision } = parts
  const noneAlive = !isAnyAliveAt(parts, atRevision)
  const databaseKey = Buffer.alloc(TOMBSTONE_MARK_OFFSET + 1, 0)
  databaseKey.write('_', SUB_OFFSET - 1, 'latin1')
  databaseKey.write('t', TOMBSTONE_MARK_OFFSET, 'latin1')
  let crc = crc32c(BUCKET_NAME)
  parts.sequence.scan(0, 0, (version) => {
    if (version.modRevision > atRevision) return false
    if (version.modRevision <= compactRevision && !countsBelow(version, compactRevision, atRevision, noneAlive))
      return true
    databaseKey.writeBigUInt64BE(BigInt(version.modRevision), 0)
    databaseKey.writeBigUInt64BE(BigInt(version.sub), SUB_OFFSET)
    const { isTombstone } = version
    crc = crc32c(isTombstone ? databaseKey : databaseKey.subarray(0, TOMBSTONE_MARK_OFFSET), crc)
    const encoded = version.encoded()
    crc = crc32c(isTombstone ? encoded.subarray(0, bytesFieldLength(version.key.length)) : encoded, crc)
    return true
  })
  return crc
}

function countsBelow(version: StoredVersion, compactRevision: number, atRevision: number, noneAlive: boolean): boolean {
  if (version.isTombstone) return false
  return noneAlive ? version.survives(compactRevision) : version.history.at(atRevision) === version
}

function isAnyAliveAt({ index }: StoreParts, atRevision: number): boolean {
  let found = false
  index.scan(EMPTY_KEY, null, (history) => {
    found = history.liveAt(atRevision) !== undefined
    return !found
  })
  return found
}
