/**
 * What stands in the key of a seat: JSON, so that an operator can read it. Data that are text stand there as text,
 * others in base64.
 */
import { CoordinationError, toText } from '../../spi/index.ts'
import type { Holder } from './driver.ts'

interface SeatRecord {
  readonly id: string
  readonly session: string
  readonly nonce: string
  readonly text?: string
  readonly base64?: string
}

export function encodeHolder({ id, session, nonce, data }: Holder): Buffer {
  const text = textOf(data)
  const shown = text === undefined ? { base64: Buffer.from(data).toString('base64') } : { text }
  const record: SeatRecord = { id, session, nonce, ...shown }
  return Buffer.from(JSON.stringify(record))
}

/** @throws CoordinationError CORRUPTED if it is not such a record. */
export function decodeHolder(bytes: Buffer, about: { readonly key: string; readonly backend: string }): Holder {
  const record = parse(bytes)
  if (record === undefined) {
    throw new CoordinationError('CORRUPTED', `the record of ${about.key} was not written by this backend`, about)
  }
  const { id, session, nonce, text, base64 } = record
  return { id, session, nonce, data: text === undefined ? fromBase64(base64 ?? '') : new TextEncoder().encode(text) }
}

function parse(bytes: Buffer): SeatRecord | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isSeatRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isSeatRecord(value: unknown): value is SeatRecord {
  if (typeof value !== 'object' || value === null) return false
  const { id, session, nonce, text, base64 } = value as Partial<Record<keyof SeatRecord, unknown>>
  const named = [id, session, nonce].every((part) => typeof part === 'string')
  return named && (typeof text === 'string' || typeof base64 === 'string')
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return toText(data)
  } catch {
    return undefined
  }
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}
