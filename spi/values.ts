/** What the store holds and what orders it: entries, versions, fencing tokens. */

/**
 * Marks one committed write of one key. Opaque: compare with `===` only.
 * Every write gives another one, also one with equal bytes, also across delete and re-create: a version that was read
 * never comes back (no ABA).
 */
export type Version = string & { readonly __brand: 'kip30.Version' }

/**
 * Orders the owners of one service, or of one member id of a group: each new owner's token is strictly greater than
 * all before it, for ever – through restarts of servers, and through times without any owner.
 * A Kafka broker knows it as controller epoch and broker epoch. Written as decimal text.
 */
export type FencingToken = bigint

/** A claim to be the current owner of a service: what a write is checked against. A Leadership is one. */
export interface Fence {
  readonly service: string
  readonly token: FencingToken
}

/** A key's value as of one version. */
export interface Entry {
  readonly key: string
  /** The caller's own copy; but one entry may be handed to several listeners: do not write into it. */
  readonly bytes: Uint8Array
  /** The bytes as UTF-8 (KIP-30's String). @throws CoordinationError INVALID_DATA if they are not UTF-8. */
  readonly text: string
  readonly version: Version
}
