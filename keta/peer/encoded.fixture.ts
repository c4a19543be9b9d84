/** Encoded messages between nodes as the tests of frames see them: as bytes. */
import type { Encoded } from './messages.ts'

export function whole({ head, body }: Encoded): Buffer {
  return Buffer.concat([head, body])
}

/** @param headLength how much of it the head is; default: a third */
export function asEncoded(bytes: Uint8Array, headLength = Math.floor(bytes.length / 3)): Encoded {
  return { head: bytes.subarray(0, headLength), body: bytes.subarray(headLength) }
}
