import { createRecordsBatch, Reader, readRecordsBatches } from '@platformatic/kafka'
import { expect } from 'chai'
import fc from 'fast-check'
import { crc32c } from '../../bytes/crc32c.ts'
import { batchBytes, decodeBatches, encodeBatch, RecordBatchError } from './record-batch.ts'

const values = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 200 })

describe('a Kafka record batch', () => {
  it('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(values, (written) => {
        const batch = encodeBatch(written)
        expect(batch.length).to.equal(batchBytes(written))
        const { values: read, nextOffset } = decodeBatches(batch, 0)
        expect(read.map(({ offset }) => offset)).to.deep.equal(written.map((_, index) => index))
        expect(read.map(({ bytes }) => Buffer.from(bytes))).to.deep.equal(written.map((value) => Buffer.from(value)))
        expect(nextOffset).to.equal(written.length)
      }),
    )
  })

  it('is understood by another decoder', () => {
    fc.assert(
      fc.property(values, (written) => {
        const [batch, ...more] = readRecordsBatches(Reader.from(encodeBatch(written)))
        expect(more).to.deep.equal([])
        expect(batch?.producerId).to.equal(-1n)
        expect(batch?.records.map(({ key, value, headers }) => ({ key, value, headers }))).to.deep.equal(
          written.map((value) => ({ key: null, value: Buffer.from(value), headers: [] })),
        )
      }),
    )
  })

  it('of another encoder is understood, whatever keys, headers and compression it has', () => {
    const record = fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
      value: fc.uint8Array({ maxLength: 300 }),
      headers: fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })),
    })
    const compression = fc.constantFrom('none' as const, 'gzip' as const, 'snappy' as const, 'lz4' as const)
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 50 }), compression, (records, algorithm) => {
        const messages = records.map(({ key, value, headers }) => ({
          topic: 't',
          value: Buffer.from(value),
          headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
          ...(key === undefined ? {} : { key: Buffer.from(key) }),
        }))
        const batch = createRecordsBatch(messages, { compression: algorithm }).buffer
        const { values: read } = decodeBatches(batch, 0)
        expect(read.map(({ bytes }) => Buffer.from(bytes))).to.deep.equal(messages.map(({ value }) => value))
      }),
    )
  })

  it('gives its values from the offset on that was asked for', () => {
    const batches = Buffer.concat([batchAt(10, ['a', 'b', 'c']), batchAt(13, ['d'])])
    expect(textsOf(decodeBatches(batches, 12).values)).to.deep.equal([
      [12, 'c'],
      [13, 'd'],
    ])
  })

  it('that is cut off is left for the next time, unless nothing is left then', () => {
    const whole = batchAt(0, ['a'])
    const cut = batchAt(1, ['b'])
    for (let length = 0; length < cut.length; length++) {
      const { values: read, nextOffset } = decodeBatches(Buffer.concat([whole, cut.subarray(0, length)]), 0)
      expect(textsOf(read)).to.deep.equal([[0, 'a']])
      expect(nextOffset).to.equal(1)
    }
    expect(() => decodeBatches(cut.subarray(0, 30), 1)).to.throw(RecordBatchError)
  })

  it('with a flipped bit in what its checksum covers is refused', () => {
    const batch = encodeBatch([Buffer.from('value'), Buffer.from('another')])
    fc.assert(
      fc.property(fc.integer({ min: 21 * 8, max: batch.length * 8 - 1 }), (bit) => {
        const damaged = Buffer.from(batch)
        damaged.writeUInt8((damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7)), bit >> 3)
        expect(() => decodeBatches(damaged, 0)).to.throw(RecordBatchError)
      }),
    )
  })

  it('never crashes on anything else than an error of its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), values, fc.nat(), (junk, written, place) => {
        const batch = encodeBatch(written)
        batch.set(junk.subarray(0, batch.length - 21), 21 + (place % Math.max(1, batch.length - 21 - junk.length)))
        batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
        try {
          decodeBatches(batch, 0)
        } catch (error) {
          expect(error).to.be.instanceOf(RecordBatchError)
        }
      }),
    )
  })
})

function batchAt(baseOffset: number, texts: readonly string[]): Buffer {
  const batch = encodeBatch(texts.map((text) => Buffer.from(text)))
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

function textsOf(read: readonly { readonly offset: number; readonly bytes: Uint8Array }[]): unknown[] {
  return read.map(({ offset, bytes }) => [offset, Buffer.from(bytes).toString()])
}
