import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromBytes, keyFromText } from '../bytes/key.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import { type KeyValueFields, keyValueLength, valueBounds, writeKeyValue } from './kv-encoding.ts'

const revision = fc.oneof(fc.nat(300), fc.maxSafeNat())
const keyValue = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 200 }).map(keyFromBytes),
  createRevision: revision,
  modRevision: revision,
  version: revision,
  lease: fc.oneof(fc.constant(0n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  value: fc.uint8Array({ maxLength: 300 }),
})

describe('the encoding of a KeyValue', () => {
  it('is what a general protobuf writer makes of it', () => {
    fc.assert(
      fc.property(keyValue, ({ value, ...fields }) => {
        const writer = new ProtoWriter()
        writer.keyField(1, fields.key)
        writer.intField(2, fields.createRevision)
        writer.intField(3, fields.modRevision)
        writer.intField(4, fields.version)
        writer.bytesField(5, value)
        writer.bigField(6, fields.lease)
        return writer.finish().equals(encode(fields, value, 0))
      }),
    )
  })

  it('gives the value back wherever it stands', () => {
    fc.assert(
      fc.property(keyValue, fc.nat(20), ({ value, ...fields }, offset) => {
        const bytes = encode(fields, value, offset)
        const { start, end } = valueBounds(bytes.subarray(offset), fields)
        expect(bytes.subarray(offset + start, offset + end)).to.deep.equal(Buffer.from(value))
      }),
    )
  })

  it('leaves out what is zero: a tombstone is a key and a revision', () => {
    const fields = { key: keyFromText('a'), createRevision: 0, modRevision: 3, version: 0, lease: 0n }
    expect(encode(fields, Buffer.alloc(0), 0).toString('hex')).to.equal('0a01611803')
  })
})

function encode(fields: KeyValueFields, value: Uint8Array, offset: number): Buffer {
  const bytes = Buffer.alloc(offset + keyValueLength(fields, value.length))
  writeKeyValue(bytes, offset, fields, value)
  return bytes
}
