/** A row of the table `store`, and what the SPI calls it. */
import { CoordinationError, type Entry, makeEntry, versionOf } from '../../spi/index.ts'
import type { Holder, Seated } from '../shared/driver.ts'
import { BACKEND } from './capabilities.ts'
import { type Place, placeText } from './layout.ts'

export interface Row extends Place {
  /** The revision that wrote it last. */
  readonly at: bigint
  /** The value, or what the holder of a seat has given. */
  readonly data?: Uint8Array
  /** The revision at which a seat was taken: its token. */
  readonly since?: bigint
  /** The holder of a seat: its id, its session and its attempt. */
  readonly holder?: string
  readonly session?: string
  readonly nonce?: string
  /** Of a mark: the number of the commit. Of a session: its time to live, milliseconds. */
  readonly number?: bigint
  /** Of a change: what was changed. */
  readonly changed?: readonly string[]
}

/** What is to stand in a place. */
export type Content = Omit<Row, 'kind' | 'name' | 'at'>

const NO_BYTES = new Uint8Array()

export function entryOf({ name, data = NO_BYTES, at }: Row): Entry {
  return makeEntry(name, data, versionOf(String(at)))
}

/** @throws CoordinationError CORRUPTED if nobody sits there in a way that this backend writes. */
export function seatedOf(row: Row): Seated {
  const { holder, session, nonce, since, data = NO_BYTES } = row
  if (holder === undefined || session === undefined || nonce === undefined || since === undefined) {
    const message = `the row ${JSON.stringify(placeText(row))} was not written by this backend`
    throw new CoordinationError('CORRUPTED', message, { backend: BACKEND, key: row.name })
  }
  return { id: holder, session, nonce, token: since, data: new Uint8Array(data) }
}

export function contentOf({ id, session, nonce, data }: Holder, since: bigint): Content {
  return { holder: id, session, nonce, since, data }
}
