import { expect } from 'chai'
import fc from 'fast-check'
import { batchBytes } from '../../kafka/client/record-batch.ts'
import { decodePart } from './snapshot-records.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

const ID = 'ab'.repeat(16)

describe('the writer of a snapshot', () => {
  it('cuts chunks into batches that the topic accepts, from which they can be put together', async () => {
    const sizes = fc.array(fc.nat(5_000), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 300, max: 4_000 }), async (lengths, maxMessageBytes) => {
        const batches: Uint8Array[][] = []
        const writer = new SnapshotWriter(ID, recorder(batches), maxMessageBytes)
        const chunks = lengths.map((length, index) => Buffer.alloc(length, index))
        for (const chunk of chunks) await writer.add(chunk)
        const written = await writer.finish(7)

        for (const batch of batches) expect(batchBytes(batch)).to.be.at.most(maxMessageBytes)
        const parts = batches.flat().map((bytes) => decodePart(ID, bytes)!)
        expect(parts.map(({ number }) => number)).to.deep.equal(parts.map((_, index) => index))
        const sizeBytes = lengths.reduce((sum, length) => sum + length, 0)
        expect(written).to.include({ chunks: lengths.length, parts: parts.length, sizeBytes })
        expect(written).to.include(parts.length === 0 ? { fromPart: 7, endPart: 7 } : { fromPart: 100 })
        expect(written.endPart - written.fromPart).to.equal(parts.length)
        expect(parts.filter(({ isLast }) => isLast)).to.have.length(lengths.length)
        expect(Buffer.concat(parts.map(({ content }) => content)).equals(Buffer.concat(chunks))).to.equal(true)
      }),
    )
  })

  it('puts small chunks together', async () => {
    const batches: Uint8Array[][] = []
    const writer = new SnapshotWriter(ID, recorder(batches), 1_000_000)
    for (let index = 0; index < 100; index++) await writer.add(Buffer.alloc(10))
    await writer.finish(0)
    expect(batches).to.have.length(1)
  })
})

/** A partition that begins at offset 100 and takes down its batches. */
function recorder(batches: Uint8Array[][]): { append(records: readonly Uint8Array[]): Promise<number> } {
  return {
    append: async (records) => {
      const offset = 100 + batches.flat().length
      batches.push([...records])
      return offset
    },
  }
}
