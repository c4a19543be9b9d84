/**
 * What a store must hold after a history of writes, worked out by itself: versions, live keys, leases' keys, and etcd's
 * HashKV over them.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { crc32c } from '../bytes/crc32c.ts'
import { type KeyValue, KeyValueSchema } from '../proto/gen/mvccpb/kv_pb.js'

/** What a write does to one key; no value: it is deleted. */
export interface Change {
  readonly key: string
  readonly value: Buffer | undefined
  readonly lease: bigint
}

/** A tombstone has version 0 and an empty value. */
export interface StoredVersion {
  readonly key: string
  readonly value: Buffer
  readonly lease: bigint
  readonly createRevision: number
  readonly modRevision: number
  /** Place among the changes of its revision, from 0. */
  readonly sub: number
  readonly version: number
}

/** A key-value as it comes over the wire. @param sub its place among those of the same revision */
export function versionOf(kv: KeyValue | undefined, sub: number): StoredVersion {
  if (kv === undefined) throw new Error('an event without a key-value')
  return {
    key: Buffer.from(kv.key).toString('latin1'),
    value: Buffer.from(kv.value),
    lease: kv.lease,
    createRevision: Number(kv.createRevision),
    modRevision: Number(kv.modRevision),
    sub,
    version: Number(kv.version),
  }
}

/** Equal texts are equal versions; not too long to be read. */
export function textOf({ key, value, lease, createRevision, modRevision, version }: StoredVersion): string {
  const content = `${value.length} bytes ${value.toString('latin1', 0, 12)} ${crc32c(value)}`
  return `${key}@${modRevision} create=${createRevision} version=${version} lease=${lease} ${content}`
}

export class ReplayedStore {
  revision = 1
  compactRevision = -1
  /** Of each key, by revision. */
  readonly #versions = new Map<string, StoredVersion[]>()

  live(key: string): StoredVersion | undefined {
    const newest = this.#versions.get(key)?.at(-1)
    return newest?.version === 0 ? undefined : newest
  }

  liveVersions(): readonly StoredVersion[] {
    const live = Array.from(this.#versions.keys(), (key) => this.live(key)).filter((version) => version !== undefined)
    return live.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  attachedTo(lease: bigint): readonly string[] {
    return this.liveVersions()
      .filter((version) => version.lease === lease)
      .map(({ key }) => key)
  }

  /** What the changes, of different keys, would add as the next revision; a key that is absent is not deleted. */
  madeBy(changes: readonly Change[]): readonly StoredVersion[] {
    const modRevision = this.revision + 1
    const made: StoredVersion[] = []
    for (const { key, value, lease } of changes) {
      const before = this.live(key)
      const place = { key, modRevision, sub: made.length }
      if (value !== undefined) {
        const createRevision = before?.createRevision ?? modRevision
        made.push({ ...place, value, lease, createRevision, version: (before?.version ?? 0) + 1 })
      } else if (before !== undefined) {
        made.push({ ...place, value: Buffer.alloc(0), lease: 0n, createRevision: 0, version: 0 })
      }
    }
    return made
  }

  add(versions: readonly StoredVersion[]): void {
    this.revision++
    for (const version of versions) {
      const history = this.#versions.get(version.key)
      if (history === undefined) this.#versions.set(version.key, [version])
      else history.push(version)
    }
  }

  compact(revision: number): void {
    this.compactRevision = revision
    for (const [key, history] of this.#versions) {
      const kept = history.filter((version, index) => {
        const next = history[index + 1]
        const isSuperseded = next !== undefined && next.modRevision <= revision
        return version.modRevision > revision || (!isSuperseded && version.version > 0)
      })
      if (kept.length === 0) this.#versions.delete(key)
      else this.#versions.set(key, kept)
    }
  }

  /** etcd's HashKV at the newest revision. At least one key must be alive. */
  hash(): number {
    const counted = Array.from(this.#versions.values()).flatMap((history) =>
      history.filter((version) => version.modRevision > this.compactRevision || version === history.at(-1)),
    )
    counted.sort((a, b) => a.modRevision - b.modRevision || a.sub - b.sub)
    return counted.reduce((crc, version) => crc32c(databaseEntry(version), crc), crc32c(Buffer.from('key')))
  }
}

/** Key and value in etcd's database: the revision, with a mark for a tombstone, and the KeyValue. */
function databaseEntry({ sub, ...version }: StoredVersion): Buffer {
  const isTombstone = version.version === 0
  const key = Buffer.alloc(isTombstone ? 18 : 17, 't')
  key.writeBigUInt64BE(BigInt(version.modRevision), 0)
  key.write('_', 8)
  key.writeBigUInt64BE(BigInt(sub), 9)
  const content = isTombstone
    ? { key: Buffer.from(version.key, 'latin1') }
    : {
        key: Buffer.from(version.key, 'latin1'),
        value: version.value,
        lease: version.lease,
        createRevision: BigInt(version.createRevision),
        modRevision: BigInt(version.modRevision),
        version: BigInt(version.version),
      }
  return Buffer.concat([key, toBinary(KeyValueSchema, create(KeyValueSchema, content))])
}
