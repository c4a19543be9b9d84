/**
 * Where what stands in ZooKeeper, below `<chroot>/<cluster id>`:
 *
 *     kv/<segment>/<segment>     a value, in a znode for each segment of its key; null: only its children are there
 *     leader/<service>           who leads; a record (records.ts), ephemeral
 *     member/<group>/<id>        a member, likewise
 *     write/<session>-<slot>     what became of a commit (commits.ts), ephemeral
 *     guard/<00 to 3f>           counts the creations of znodes whose path hashes to it
 *
 * Names are escaped as in URLs where ZooKeeper would not take them, or take them for something else.
 */
import type { CommitId, Seat } from '../shared/driver.ts'

/** What PathUtils of ZooKeeper refuses, the escape itself, and all surrogates: it looks at halves of pairs. */
const FORBIDDEN = /[%\0-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\uffff\u{10000}-\u{10ffff}]/gu
const FORBIDDEN_IN_ID = /[%/\0-\x1f\x7f-\x9f\ue000-\uf8ff\ufff0-\uffff\u{10000}-\u{10ffff}]/gu

const GUARDS = 64

export class Layout {
  /** The znode of the cluster. */
  readonly root: string
  /** The znode of the key `/`, which is none. */
  readonly values: string

  /** @param chroot empty, or with a slash at its beginning and none at its end. */
  constructor(chroot: string, clusterId: string) {
    const name = escapeId(clusterId)
    // what is ZooKeeper's own
    this.root = `${chroot}/${chroot === '' && name === 'zookeeper' ? '%7Aookeeper' : name}`
    this.values = `${this.root}/kv`
  }

  /** All that must be there before anything else, parents first. */
  get furniture(): readonly string[] {
    const folders = ['kv', 'leader', 'member', 'write', 'guard'].map((name) => `${this.root}/${name}`)
    const guards = Array.from({ length: GUARDS }, (_, number) => this.#guard(number))
    return [...ancestorsOf(this.root), this.root, ...folders, ...guards]
  }

  /** Of a key of Storage, or `/`. */
  value(key: string): string {
    if (key === '/') return this.values
    return `${this.values}${key.split('/').map(escapeSegment).join('/')}`
  }

  /** The key of Storage that {@link value} put there; undefined: it is none. */
  keyOf(path: string): string | undefined {
    return path.startsWith(`${this.values}/`)
      ? path.slice(this.values.length).split('/').map(unescape).join('/')
      : undefined
  }

  /** The znodes between the values' own and that of a key; the nearest comes last. */
  parentsOf(path: string): readonly string[] {
    return ancestorsOf(path).filter((parent) => parent.length > this.values.length)
  }

  leader(service: string): string {
    return `${this.root}/leader/${escapeId(service)}`
  }

  seat(seat: Seat): string {
    return seat.kind === 'leader' ? this.leader(seat.service) : `${this.group(seat.group)}/${escapeId(seat.id)}`
  }

  group(group: string): string {
    return `${this.root}/member/${escapeId(group)}`
  }

  /** Where the last commit of a slot leaves its mark. */
  mark({ session, slot }: Pick<CommitId, 'session' | 'slot'>): string {
    return `${this.root}/write/${escapeId(session)}-${slot}`
  }

  /** The guard of a znode. */
  guardOf(path: string): string {
    let hash = 0
    for (let at = this.root.length; at < path.length; at++) hash = (hash * 31 + path.charCodeAt(at)) | 0
    return this.#guard((hash ^ (hash >>> 16)) & (GUARDS - 1))
  }

  #guard(number: number): string {
    return `${this.root}/guard/${number.toString(16).padStart(2, '0')}`
  }
}

/** Those of `/a/b/c` are `/a` and `/a/b`. */
export function ancestorsOf(path: string): readonly string[] {
  const parents: string[] = []
  for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) parents.push(path.slice(0, end))
  return parents
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** The name of a znode for a text that nothing else is escaped to. */
export function escapeId(id: string): string {
  return escapeWith(FORBIDDEN_IN_ID, id)
}

/** Of what {@link escapeId} has made, or of one segment of a key. */
export function unescape(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    // not ours: shown as it stands there
    return name
  }
}

function escapeSegment(segment: string): string {
  return escapeWith(FORBIDDEN, segment)
}

function escapeWith(forbidden: RegExp, text: string): string {
  if (text === '.' || text === '..') return text.replaceAll('.', '%2E')
  return text.replace(forbidden, encode)
}

/** Also what encodeURIComponent leaves alone. */
function encode(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}
