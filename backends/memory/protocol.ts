/**
 * What is said between a served store and its clients: frames of four bytes of length and a structured clone, which
 * carries maps, bytes and big integers as they are. The client greets; then each request has a number, and its replies
 * bear it.
 */
import { deserialize, serialize } from 'node:v8'
import { CoordinationError, type Effect, type ErrorCode, isCoordinationError } from '../../spi/index.ts'
import type { Operation } from './operations.ts'
import { BACKEND } from './store.ts'
import type { WatchQuery } from './store-host.ts'
import type { Row } from './tables.ts'

/** Of the messages below; a server of another version refuses the greeting. */
export const PROTOCOL_VERSION = 1

/** Room for a transaction of the most and the largest values. */
const MAX_FRAME_BYTES = 160 * 1024 * 1024
const LENGTH_BYTES = 4

export interface Greeting {
  readonly version: number
  readonly password: string | undefined
}

export type Welcome = { readonly persistent: boolean } | { readonly error: PlainError }

export type Request =
  | { readonly id: number; readonly ask: Operation | 'connections'; readonly args: readonly unknown[] }
  | { readonly id: number; readonly watch: WatchQuery; readonly from: number }
  /** Ends the watch of this number; there is no reply. */
  | { readonly id: number; readonly unwatch: true }

/** A watch gets changes any number of times; an error, a result or the news that it is too late ends a request. */
export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PlainError }
  | { readonly id: number; readonly revision: number; readonly changes: ReadonlyMap<string, Row | undefined> }
  | { readonly id: number; readonly compacted: string }

export interface PlainError {
  readonly code: ErrorCode
  readonly message: string
  readonly effect: Effect
}

export function encodeFrame(message: unknown): Uint8Array {
  const body = serialize(message)
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length)
  frame.writeUInt32BE(body.length)
  frame.set(body, LENGTH_BYTES)
  return frame
}

/** Makes messages of what arrives in pieces. */
export class FrameReader {
  #chunks: Buffer[] = []
  #bytes = 0
  /** As many are needed before it is worth looking. */
  #needed = LENGTH_BYTES

  /** The messages that are complete with this piece. @throws Error if it is not this protocol. */
  push(chunk: Buffer): unknown[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes < this.#needed) return []
    let left = Buffer.concat(this.#chunks)
    const messages: unknown[] = []
    for (let end = frameEnd(left); left.length >= end; end = frameEnd(left)) {
      messages.push(deserialize(left.subarray(LENGTH_BYTES, end)))
      left = left.subarray(end)
    }
    this.#chunks = [left]
    this.#bytes = left.length
    this.#needed = frameEnd(left)
    return messages
  }

  /** Bytes of a message that is not complete. */
  get left(): number {
    return this.#bytes
  }
}

/** Where the first frame ends, as far as its beginning tells. */
function frameEnd(bytes: Buffer): number {
  if (bytes.length < LENGTH_BYTES) return LENGTH_BYTES
  const length = bytes.readUInt32BE()
  if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes`)
  return LENGTH_BYTES + length
}

export function plainError(error: unknown): PlainError {
  if (isCoordinationError(error)) return { code: error.code, message: error.message, effect: error.effect }
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error), effect: 'unknown' }
}

export function errorOf({ code, message, effect }: PlainError): CoordinationError {
  return new CoordinationError(code, message, { backend: BACKEND, effect })
}
