import { expect } from 'chai'
import fc from 'fast-check'
import { ProtocolError } from '../protocol-error.ts'
import { DynamicTable } from './dynamic-table.ts'
import { HpackDecoder } from './hpack-decoder.ts'
import { encodeHeaders } from './hpack-encoder.ts'
import { decodeHuffman } from './huffman.ts'
import { headerField } from './static-table.ts'

function decode(decoder: HpackDecoder, hex: string): readonly string[] {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return decoder.decode(bytes, 0, bytes.length).fields.map(({ name, value }) => `${name}: ${value}`)
}

function failure(hex: string): string {
  try {
    decode(new HpackDecoder(10_000), hex)
    return 'none'
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return `${error.code} ${error.message}`
  }
}

describe('the HPACK decoder', () => {
  // The examples of RFC 7541, C.3 and C.4: three requests on one connection.
  const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']
  const second = [...first, 'cache-control: no-cache']
  const third = [':method: GET', ':scheme: https', ':path: /index.html', first[3], 'custom-key: custom-value']

  it('decodes plain requests that build on each other', () => {
    const decoder = new HpackDecoder(10_000)
    expect(decode(decoder, '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d')).to.deep.equal(first)
    expect(decode(decoder, '8286 84be 5808 6e6f 2d63 6163 6865')).to.deep.equal(second)
    expect(decode(decoder, '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65')).to.deep.equal(
      third,
    )
  })

  it('decodes the same with Huffman coding', () => {
    const decoder = new HpackDecoder(10_000)
    expect(decode(decoder, '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')).to.deep.equal(first)
    expect(decode(decoder, '8286 84be 5886 a8eb 1064 9cbf')).to.deep.equal(second)
    expect(decode(decoder, '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')).to.deep.equal(third)
  })

  it('knows the last code of each length, which is where it is only if all before it are', () => {
    // Of RFC 7541, appendix B: the code, its length and its symbol.
    const codes: readonly (readonly [number, number, number])[] = [
      [0x9, 5, 0x74],
      [0x2d, 6, 0x75],
      [0x7b, 7, 0x7a],
      [0xfd, 8, 0x5a],
      [0x3fc, 10, 0x3f],
      [0x7fc, 11, 0x7c],
      [0xffb, 12, 0x3e],
      [0x1ffd, 13, 0x7e],
      [0x3ffd, 14, 0x7d],
      [0x7ffe, 15, 0x7b],
      [0x7fff2, 19, 0xd0],
      [0xfffed, 20, 0xe2],
      [0x1fffe8, 21, 0xe6],
      [0x3fffeb, 22, 0xe9],
      [0x7ffff4, 23, 0xef],
      [0xfffff5, 24, 0xed],
      [0x1ffffef, 25, 0xeb],
      [0x3ffffee, 26, 0xff],
      [0x7fffff0, 27, 0xfe],
      [0xffffffe, 28, 0xf9],
      [0x3ffffffe, 30, 0x16],
    ]
    for (const [code, bits, symbol] of codes) {
      const padded = code.toString(2).padStart(bits, '0').padEnd(32, '1')
      const bytes = Buffer.from(Number.parseInt(padded, 2).toString(16).padStart(8, '0'), 'hex').subarray(
        0,
        Math.ceil(bits / 8),
      )
      const out = Buffer.alloc(8)
      const length = decodeHuffman(bytes, 0, bytes.length, out)
      expect([...out.subarray(0, length)], String(bits)).to.deep.equal([symbol])
    }
  })

  it('reads what the encoder writes', () => {
    const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
    const name = fc.oneof(text, fc.constantFrom(':status', 'content-type', 'grpc-message'))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text)), (fields) => {
        const block = encodeHeaders(fields)
        const decoded = new HpackDecoder(1e9).decode(block, 0, block.length).fields
        expect(decoded.map((field) => [field.name, field.value])).to.deep.equal(fields)
      }),
    )
    const long = encodeHeaders([['x', 'y'.repeat(100_000)]])
    expect(new HpackDecoder(1e9).decode(long, 0, long.length).fields[0]?.value).to.have.length(100_000)
  })

  const refused: Readonly<Record<string, readonly [string, string]>> = {
    'a field that is in no table': ['be', 'there is no header field 62'],
    'the field 0': ['80', 'there is no header field 0'],
    'a name that is in no table': ['7f 00 01 61', 'there is no header field 63'],
    'a number that does not end': ['ff ff ff', 'a header block that is cut off'],
    'a number that is too large': ['ff ff ff ff ff ff ff 01', 'a number that is too large'],
    'a string longer than the block': ['40 05 61', 'a string that is longer than its header block'],
    'a name without a value': ['40 01 61', 'a header block that is cut off'],
    'a table larger than allowed': ['3f e2 1f', 'a table of 4097 bytes: at most 4096 are allowed'],
    'a change of the table after a field': ['82 20', 'a change of the table within a header block'],
    'the end-of-string symbol': ['40 84 ff ff ff ff 00', 'the end-of-string symbol within a string'],
    'padding that is not all ones': ['40 81 18 00', 'a string whose padding is not its end'],
    'padding of a whole byte': ['40 82 1f ff 00', 'a string whose padding is not its end'],
  }
  for (const [name, [hex, text]] of Object.entries(refused)) {
    it(`refuses ${name}`, () => {
      expect(failure(hex)).to.equal(`COMPRESSION_ERROR ${text}`)
    })
  }

  it('leaves out what goes beyond the limit of a list, and keeps its table', () => {
    const decoder = new HpackDecoder(100)
    const block = Buffer.from(`40 01 61 7f 01 ${'62'.repeat(128)} be be 40 01 63 01 64`.replaceAll(' ', ''), 'hex')
    const { fields, isTooLarge } = decoder.decode(block, 0, block.length)
    expect(isTooLarge).to.equal(true)
    expect(fields).to.deep.equal([])
    expect(decode(decoder, 'be')).to.deep.equal(['c: d'])
  })

  it('throws nothing but its own error for whatever it is given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(failure(Buffer.from(bytes).toString('hex'))).to.match(/^(none|COMPRESSION_ERROR )/)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('the dynamic table', () => {
  it('holds what a plain list would', () => {
    const step = fc.oneof(
      fc.record({ add: fc.string({ maxLength: 60 }) }),
      fc.record({ resize: fc.integer({ min: 0, max: 400 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new DynamicTable(400)
        let [maxBytes, model] = [400, [] as { value: string; size: number }[]]
        const total = (): number => model.reduce((sum, { size }) => sum + size, 0)
        for (const one of steps) {
          if ('add' in one) {
            const field = headerField('n', one.add)
            table.add(field)
            model.unshift(field)
          } else {
            maxBytes = one.resize
            table.resize(maxBytes)
          }
          while (total() > maxBytes) model = model.slice(0, -1)
          expect(Array.from({ length: table.count }, (_, index) => table.at(index))).to.deep.equal(model)
          expect(table.bytes).to.equal(total())
          expect(table.at(table.count)).to.equal(undefined)
        }
      }),
    )
  })
})
