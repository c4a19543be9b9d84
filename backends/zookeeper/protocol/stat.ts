/** What the server knows of a znode beside its data. */
import type { StatFields } from 'node-zookeeper-client/lib/jute/index.js'

export interface Stat {
  /** Of the transaction that created this incarnation. */
  readonly czxid: bigint
  /** Of the last one that wrote its data. */
  readonly mzxid: bigint
  /** Of the last one that added or removed a child. */
  readonly pzxid: bigint
  /** How often the data of this incarnation were written; begins at 0 again with the next one. */
  readonly version: number
  /** The session that it goes with; 0n: none. */
  readonly ephemeralOwner: bigint
  /** Bytes. */
  readonly dataLength: number
  readonly children: number
}

export function statOf(fields: StatFields): Stat {
  return {
    czxid: fields.czxid.readBigInt64BE(),
    mzxid: fields.mzxid.readBigInt64BE(),
    pzxid: fields.pzxid.readBigInt64BE(),
    version: fields.version,
    ephemeralOwner: fields.ephemeralOwner.readBigInt64BE(),
    dataLength: fields.dataLength,
    children: fields.numChildren,
  }
}

/** A long, as records have it. */
export function longOf(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
