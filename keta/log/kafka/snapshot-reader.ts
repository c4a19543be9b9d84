/** Puts the chunks of one save together again, from the parts of all saves among which its own lie. */
import { crc32c } from '../../bytes/crc32c.ts'
import type { ValueAt } from '../../kafka/client/record-batch.ts'
import type { Finished, Part } from './snapshot-records.ts'
import { decodePart, partSum } from './snapshot-records.ts'

/** The parts are not those that the manifest tells of. */
export class BrokenSnapshot extends Error {
  override readonly name = 'BrokenSnapshot'
}

/**
 * Each chunk is a buffer of its own. The last things checked, after the last chunk, are those that concern the whole.
 * @param batches the records of the partition from the save's first part to its last
 * @throws BrokenSnapshot, and what reading throws
 */
export async function* chunksOf(
  manifest: Finished,
  batches: AsyncIterable<readonly ValueAt[]>,
): AsyncGenerator<Uint8Array> {
  let parts = 0
  let chunks = 0
  let checksum = 0
  let pieces: Uint8Array[] = []
  for await (const records of batches) {
    for (const { bytes } of records) {
      const part = decodePart(manifest.id, bytes)
      if (part === undefined || !isNext(part, parts)) continue
      parts++
      checksum = crc32c(partSum(bytes), checksum)
      pieces.push(part.content)
      if (!part.isLast) continue
      const chunk = joined(pieces)
      pieces = []
      chunks++
      yield chunk
    }
    // Views would keep the whole answer in memory until their chunk ends.
    pieces = pieces.map((piece) => joined([piece]))
  }
  if (parts !== manifest.parts) throw new BrokenSnapshot(`it has ${parts} parts instead of ${manifest.parts}`)
  if (chunks !== manifest.chunks) throw new BrokenSnapshot(`it has ${chunks} chunks instead of ${manifest.chunks}`)
  if (checksum !== manifest.checksum) throw new BrokenSnapshot('its checksum does not hold')
}

/** False for a part that was there before: a batch that was sent again lies there twice. */
function isNext({ number }: Part, expected: number): boolean {
  if (number > expected) throw new BrokenSnapshot(`part ${expected} is missing`)
  return number === expected
}

function joined(pieces: readonly Uint8Array[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
