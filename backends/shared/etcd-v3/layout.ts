/**
 * Where what stands in etcd, below `<prefix>/<cluster id>/`:
 *
 *     kv<key>                             a value, as it was given: readable with etcdctl
 *     leader/<service>                    who leads; a record (records.ts), with the lease of its session
 *     member/<group>/<id>                 a member, likewise
 *     write/<session>/<slot>/<number>     what became of a commit (commits.ts), with the lease of its session
 *
 * Ids are escaped as in URLs, so that none contains a '/'; keys begin with '/' and stand as they are.
 */
import type { Seat } from '../driver.ts'

/** A key, or the keys from `key` up to `range_end`, as requests of etcd name them. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end?: Buffer
}

export class Layout {
  readonly #root: string

  /** @param prefix empty, or with a slash at its beginning and none at its end. */
  constructor(prefix: string, clusterId: string) {
    this.#root = `${prefix}/${escapeId(clusterId)}/`
  }

  /** Of a key of Storage. */
  value(key: string): Buffer {
    return Buffer.from(`${this.#root}kv${key}`)
  }

  /** The key of Storage that {@link value} put there. */
  keyOf(stored: Buffer): string {
    return stored.toString('utf8').slice(this.#root.length + 'kv'.length)
  }

  /** The keys of Storage from one to another. */
  values(from: string, to: string): KeyRange {
    return { key: this.value(from), range_end: this.value(to) }
  }

  leader(service: string): Buffer {
    return Buffer.from(`${this.#root}leader/${escapeId(service)}`)
  }

  seat(seat: Seat): Buffer {
    if (seat.kind === 'leader') return this.leader(seat.service)
    return Buffer.from(`${this.#root}member/${escapeId(seat.group)}/${escapeId(seat.id)}`)
  }

  members(group: string): KeyRange {
    return below(`${this.#root}member/${escapeId(group)}/`)
  }

  /** The id of the member whose key this is. */
  memberOf(stored: Buffer): string {
    const text = stored.toString('utf8')
    return decodeURIComponent(text.slice(text.lastIndexOf('/') + 1))
  }

  /** Where the last commit of a slot leaves its mark. */
  mark({ session, slot }: { session: string; slot: number }): Buffer {
    return Buffer.from(`${this.#root}write/${escapeId(session)}/${slot}`)
  }
}

/** One path segment that nothing else is escaped to. @throws URIError for a lone surrogate. */
export function escapeId(id: string): string {
  return encodeURIComponent(id)
}

/** All keys that begin with a text that ends with a slash. */
function below(prefix: string): KeyRange {
  // '0' comes right after '/'
  return { key: Buffer.from(prefix), range_end: Buffer.from(`${prefix.slice(0, -1)}0`) }
}
