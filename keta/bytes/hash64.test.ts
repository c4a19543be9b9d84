/** The chain hash: fixed for ever (it is part of the log format), and sensitive to every bit. */
import { expect } from 'chai'
import fc from 'fast-check'
import { chainHash, ZERO_HASH } from './hash64.ts'

describe('chainHash', () => {
  const seeded = Buffer.from('0123456789abcdef', 'hex').toString('latin1')
  const vectors: readonly (readonly [string, string, string])[] = [
    [ZERO_HASH, '', 'ec9588498dbc58a3'],
    [ZERO_HASH, 'a', '5cad83739055aa69'],
    [ZERO_HASH, 'abcdefgh', '58e721b8651862b1'],
    [ZERO_HASH, 'a log record of some length', '651153944ee2ae5b'],
    [seeded, 'a log record of some length', '19ba372aa563fb9b'],
  ]
  for (const [previous, text, expected] of vectors) {
    it(`gives its known value for ${JSON.stringify(text)} after ${hex(previous)}`, () => {
      expect(hex(chainHash(previous, Buffer.from(text)))).to.equal(expected)
    })
  }

  it('agrees with its definition written down in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.uint8Array({ maxLength: 100 }), (seed, bytes) => {
        const previous = Buffer.from(seed).toString('latin1')
        expect(hex(chainHash(previous, bytes))).to.equal(definition(Buffer.from(seed), bytes))
      }),
    )
  })

  it('changes about half of its bits when one bit of the input or of the seed changes', () => {
    const input = Buffer.from('kind of a record with forty-three bytes....')
    const original = chainHash(ZERO_HASH, input)
    const distances: number[] = []
    for (let bit = 0; bit < input.length * 8; bit++)
      distances.push(distance(original, chainHash(ZERO_HASH, flipped(input, bit))))
    for (let bit = 0; bit < 64; bit++) {
      const seed = flipped(Buffer.alloc(8), bit).toString('latin1')
      distances.push(distance(original, chainHash(seed, input)))
    }
    const mean = distances.reduce((sum, each) => sum + each, 0) / distances.length
    expect(mean).to.be.within(31, 33)
    expect(Math.min(...distances)).to.be.above(14)
  })

  it('tells trailing zero bytes from their absence', () => {
    const hashes = Array.from({ length: 20 }, (_, length) => chainHash(ZERO_HASH, new Uint8Array(length)))
    expect(new Set(hashes).size).to.equal(20)
  })

  it('gives no two of 200 000 similar records the same hash', () => {
    const seen = new Set<string>()
    const record = Buffer.alloc(24)
    for (let i = 0; i < 200_000; i++) {
      record.writeUInt32BE(i, 12)
      seen.add(chainHash(ZERO_HASH, record))
    }
    expect(seen.size).to.equal(200_000)
  })

  it('refuses a seed that is not a hash', () => {
    expect(() => chainHash('short', new Uint8Array(0))).to.throw('8 bytes')
  })
})

/** The same function over bigints, straight from the description. */
function definition(seed: Buffer, input: Uint8Array): string {
  const word = (value: bigint) => BigInt.asUintN(32, value)
  const rotate = (value: bigint, by: bigint) => word((value << by) | (value >> (32n - by)))
  const padded = Buffer.alloc(Math.ceil(input.length / 8) * 8)
  padded.set(input)
  const [c1, c2, c3, c4] = [0x9e3779b1n, 0x85ebca6bn, 0xc2b2ae35n, 0x27d4eb2fn]
  let a = BigInt(seed.readUInt32BE(0)) ^ c4
  let b = BigInt(seed.readUInt32BE(4)) ^ c3
  for (let at = 0; at < padded.length; at += 8) {
    const first = word(rotate(word(BigInt(padded.readUInt32LE(at)) * c1), 15n) * c2)
    a = word((rotate(a ^ first, 19n) + b) * 5n + 0x561ccd1bn)
    const second = word(rotate(word(BigInt(padded.readUInt32LE(at + 4)) * c2), 17n) * c1)
    b = word((rotate(b ^ second, 13n) + a) * 5n + 0x0bcaa747n)
  }
  const finalise = (value: bigint) => {
    const x = word((value ^ (value >> 16n)) * c2)
    const y = word((x ^ (x >> 13n)) * c3)
    return y ^ (y >> 16n)
  }
  a = word((a ^ BigInt(input.length)) + (b ^ BigInt(input.length)))
  b = word((b ^ BigInt(input.length)) + a)
  a = finalise(a)
  b = finalise(b)
  a = word(a + b)
  b = word(b + a)
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0')
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

function distance(a: string, b: string): number {
  let bits = 0
  for (let i = 0; i < 8; i++) {
    for (let rest = a.charCodeAt(i) ^ b.charCodeAt(i); rest !== 0; rest &= rest - 1) bits++
  }
  return bits
}

function hex(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex')
}
