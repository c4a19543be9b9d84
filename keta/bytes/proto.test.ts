/** The wire format reader and writer, checked against an independent implementation and against hostile bytes. */
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromText } from './key.ts'
import { writeInt64, writePresentInt64 } from './int64.ts'
import { MalformedMessage, ProtoReader } from './proto-reader.ts'
import {
  bigFieldLength,
  bytesFieldLength,
  intFieldLength,
  ProtoWriter,
  WIRE_BYTES,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_VARINT,
} from './proto-writer.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

describe('ProtoReader', () => {
  it('reads every int64 that another encoder wrote', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const bytes = new BinaryWriter().tag(3, WIRE_VARINT).int64(value).finish()
        const reader = new ProtoReader(bytes)
        expect(reader.next()).to.equal(3)
        expect(reader.big()).to.equal(value)
        expect(reader.next()).to.equal(0)
        const again = new ProtoReader(bytes)
        again.next()
        expect(again.int()).to.equal(Number(value))
      }),
    )
  })

  it('truncates an enum to its low 32 bits, as protobuf does', () => {
    const reader = new ProtoReader(
      new BinaryWriter()
        .tag(1, WIRE_VARINT)
        .int64(2n ** 32n + 7n)
        .finish(),
    )
    reader.next()
    expect(reader.int32()).to.equal(7)
  })

  it('takes any non-zero varint as true', () => {
    for (const value of [1n, 2n ** 40n, -1n]) {
      const reader = new ProtoReader(new BinaryWriter().tag(1, WIRE_VARINT).int64(value).finish())
      reader.next()
      expect(reader.bool(), String(value)).to.equal(true)
    }
  })

  it('reads nested messages, bytes, keys and text inside their own bounds', () => {
    const inner = new BinaryWriter()
      .tag(1, WIRE_BYTES)
      .bytes(Uint8Array.of(0, 255))
      .tag(2, WIRE_BYTES)
      .string('é')
      .finish()
    const outer = new BinaryWriter().tag(9, WIRE_BYTES).bytes(inner).tag(5, WIRE_VARINT).int32(4).finish()
    const reader = new ProtoReader(outer)
    expect(reader.next()).to.equal(9)
    const nested = reader.message()
    nested.next()
    expect(nested.key()).to.equal('\x00\xff')
    nested.next()
    expect(nested.text()).to.equal('é')
    expect(nested.next()).to.equal(0)
    expect(reader.next()).to.equal(5)
    expect(reader.int()).to.equal(4)
  })

  it('passes over fields of every wire type', () => {
    const writer = new BinaryWriter().tag(1, WIRE_FIXED64).fixed64(1n).tag(2, WIRE_FIXED32).fixed32(1)
    const bytes = writer
      .tag(3, WIRE_BYTES)
      .bytes(Uint8Array.of(1, 2))
      .tag(4, WIRE_VARINT)
      .int64(-1n)
      .tag(5, WIRE_VARINT)
      .int32(6)
    const reader = new ProtoReader(bytes.finish())
    for (const field of [1, 2, 3, 4]) {
      expect(reader.next()).to.equal(field)
      reader.skip()
    }
    expect(reader.next()).to.equal(5)
    expect(reader.int()).to.equal(6)
  })

  it('passes over groups, also nested ones, as etcd does', () => {
    const reader = new ProtoReader(Uint8Array.of(0x0b, 0x13, 0x0a, 0x01, 0x0c, 0x08, 0x05, 0x14, 0x0c, 0x10, 0x07))
    expect(reader.next()).to.equal(1)
    reader.skip()
    expect(reader.next()).to.equal(2)
    expect(reader.int()).to.equal(7)
  })

  const malformed: readonly (readonly [string, readonly number[]])[] = [
    ['field number 0', [0x00, 0x00]],
    ['a truncated tag', [0x80]],
    ['a tag of eleven bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a field number above 2^29', [0x80, 0x80, 0x80, 0x80, 0x10, 0x00]],
    ['a length past the end', [0x0a, 0x05, 0x01]],
    ['a length near 2^64', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a length of 2^32 + 1', [0x0a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x01]],
    ['a fixed64 cut short', [0x09, 1, 2, 3]],
    ['a fixed32 cut short', [0x0d, 1, 2, 3]],
    ['a group without an end', [0x0b, 0x13, 0x14]],
    ['the end of no group', [0x0c]],
    ['an illegal wire type in a group', [0x0b, 0x0e, 0x0c]],
  ]
  for (const [what, bytes] of malformed) {
    it(`refuses ${what}`, () => {
      expect(() => skipAll(Uint8Array.from(bytes))).to.throw(MalformedMessage)
    })
  }

  it('refuses a field of another wire type than is asked for', () => {
    const reader = new ProtoReader(Uint8Array.of(0x08, 0x01))
    reader.next()
    expect(() => reader.bytes()).to.throw(MalformedMessage, 'wire type 0 where 2 belongs')
  })

  it('either reads arbitrary bytes to their end or refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          skipAll(bytes)
        } catch (error) {
          expect(error).to.be.instanceOf(MalformedMessage)
        }
      }),
    )
  })
})

describe('ProtoWriter', () => {
  it('writes what another decoder reads back, with the lengths that were announced', () => {
    fc.assert(
      fc.property(int64, fc.maxSafeInteger(), fc.uint8Array(), (big, int, bytes) => {
        const writer = new ProtoWriter(1)
        writer.bigField(1, big)
        writer.intField(2, int)
        writer.bytesField(3, bytes)
        const length = bigFieldLength(big) + intFieldLength(int) + bytesFieldLength(bytes.length)
        expect(writer.length).to.equal(length)
        const read = readThree(writer.finish())
        expect(read).to.deep.equal({ big, int: BigInt(int), bytes: Buffer.from(bytes) })
      }),
    )
  })

  it('leaves zero values out, but writes an empty message', () => {
    const writer = new ProtoWriter()
    writer.intField(1, 0)
    writer.bigField(2, 0n)
    writer.boolField(3, false)
    writer.keyField(4, keyFromText(''))
    writer.stringField(5, '')
    writer.bytesField(6, new Uint8Array(0))
    expect(writer.length).to.equal(0)
    writer.messageField(7, new Uint8Array(0))
    expect([...writer.finish()]).to.deep.equal([0x3a, 0x00])
  })

  it('writes numbers beyond 2^53 as the nearest int64 instead of wrapping round', () => {
    const cases: readonly (readonly [number, bigint])[] = [
      [2 ** 63, 2n ** 63n - 1n],
      [2 ** 60, 2n ** 60n],
      [-(2 ** 64), -(2n ** 63n)],
    ]
    for (const [value, expected] of cases) {
      const writer = new ProtoWriter()
      writeInt64(writer, 1, value)
      writePresentInt64(writer, 1, value)
      const reader = new ProtoReader(writer.finish())
      for (let i = 0; i < 2; i++) {
        reader.next()
        expect(reader.big()).to.equal(expected)
      }
    }
  })
})

function skipAll(bytes: Uint8Array): void {
  const reader = new ProtoReader(bytes)
  while (reader.next() !== 0) reader.skip()
}

function readThree(encoded: Uint8Array): { big: bigint; int: bigint; bytes: Buffer } {
  const reader = new BinaryReader(encoded)
  const read = { big: 0n, int: 0n, bytes: Buffer.alloc(0) }
  while (reader.pos < reader.len) {
    const [field] = reader.tag()
    if (field === 1) read.big = BigInt(reader.int64())
    else if (field === 2) read.int = BigInt(reader.int64())
    else read.bytes = Buffer.from(reader.bytes())
  }
  return read
}
