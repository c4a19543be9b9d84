/**
 * Where what is stored stands in the table `store`: all of a cluster in one partition, by kind and name.
 *
 *     '' ''                              always there once anything was written: a read of it shows the revision
 *     change   <slot>                    what one of the last commits has changed (feed.ts)
 *     leader   <service>                 who leads
 *     mark     <session>/<slot>          the number of the slot's last commit, or 0 once it is void (change.ts)
 *     member   <group>/<id>              a member
 *     session  <id>                      a session that has not been ended
 *     value    <key>                     a value, as it was given
 *
 * Names of groups and ids are escaped as in URLs, so that none contains a '/'; all else stands as it is.
 */
import { prefixOf } from '../../spi/index.ts'
import type { CommitId, Seat } from '../shared/driver.ts'

export type Kind = '' | 'change' | 'leader' | 'mark' | 'member' | 'session' | 'value'

/** Names a row within a cluster's partition. */
export interface Place {
  readonly kind: Kind
  readonly name: string
}

/** Rows of one kind, from a name up to another, which is not among them. */
export interface Slice {
  readonly kind: Kind
  readonly from: string
  readonly to: string
}

export const ROOT: Place = { kind: '', name: '' }

/** So many of the last commits are remembered, for followers that were away. */
export const REMEMBERED_CHANGES = 4096
const SLOT_DIGITS = 4

export function valueAt(key: string): Place {
  return { kind: 'value', name: key }
}

export function valuesBelow(namespace: string): Slice {
  const prefix = prefixOf(namespace)
  // '0' comes right after '/'
  return { kind: 'value', from: prefix, to: `${prefix.slice(0, -1)}0` }
}

export function leaderAt(service: string): Place {
  return { kind: 'leader', name: service }
}

export function seatAt(seat: Seat): Place {
  if (seat.kind === 'leader') return leaderAt(seat.service)
  return { kind: 'member', name: `${encodeURIComponent(seat.group)}/${encodeURIComponent(seat.id)}` }
}

export function membersOf(group: string): Slice {
  const escaped = encodeURIComponent(group)
  return { kind: 'member', from: `${escaped}/`, to: `${escaped}0` }
}

/** The id of the member that stands under this name. */
export function memberIdOf(name: string): string {
  return decodeURIComponent(name.slice(name.indexOf('/') + 1))
}

export function markAt({ session, slot }: Pick<CommitId, 'session' | 'slot'>): Place {
  return { kind: 'mark', name: `${session}/${slot}` }
}

/** The session that a mark belongs to. */
export function sessionOfMark(name: string): string {
  return name.slice(0, name.indexOf('/'))
}

export function sessionAt(id: string): Place {
  return { kind: 'session', name: id }
}

/** Where the revision says what it has changed; another revision used the place before. */
export function changeAt(revision: bigint): Place {
  const slot = revision % BigInt(REMEMBERED_CHANGES)
  return { kind: 'change', name: String(slot).padStart(SLOT_DIGITS, '0') }
}

/** One text for each place, such as a map's key. */
export function placeText({ kind, name }: Place): string {
  return `${kind} ${name}`
}

export function isWithin({ kind, from, to }: Slice, place: Place): boolean {
  // both ends end with '/' or '0', so that the order of UTF-16 units and that of bytes agree on what lies between
  return place.kind === kind && place.name >= from && place.name < to
}
