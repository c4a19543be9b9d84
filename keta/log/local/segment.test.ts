/** The bytes of segments: the documented example, limits, damage. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { RECORD_HEADER_BYTES } from '../../command/record.ts'
import { embeddedConfig } from '../../config/embedded.ts'
import { LogError } from '../log.ts'
import { encodeFrame, encodeSegmentHeader, forEachRecord, frameSeed, MAX_PAYLOAD_BYTES } from './segment.ts'

describe('segment format', () => {
  it('is the one of the example in segment-format.md', () => {
    const logId = Uint8Array.from({ length: 16 }, (_, index) => index)
    const frame = encodeFrame([Buffer.from('put a'), Buffer.alloc(0)], 0, frameSeed(logId, 0))
    expect(Buffer.concat([encodeSegmentHeader(logId, 0), frame]).toString('hex')).to.equal(exampleHex())
  })

  it('holds offsets beyond 32 bits', () => {
    const frame = encodeFrame([Buffer.from('x')], 2 ** 40 + 5, 0)
    expect(frame.readBigUInt64LE(8)).to.equal(2n ** 40n + 5n)
  })

  it('refuses batches that are empty or too large to be built in memory', () => {
    expect(() => encodeFrame([], 0, 0)).to.throw(RangeError)
    const large = new Uint8Array(MAX_PAYLOAD_BYTES / 4)
    expect(() => encodeFrame([large, large, large, large], 0, 0)).to.throw(RangeError)
  })

  it('has room for the largest request that can be configured, with what the record adds to it', () => {
    const largestRequest = embeddedConfig({ maxRequestBytes: 256 * 2 ** 20 }).maxRequestBytes
    expect(MAX_PAYLOAD_BYTES).to.be.at.least(4 + RECORD_HEADER_BYTES + largestRequest)
  })

  it('refuses records that do not fill their payload', () => {
    const payload = encodeFrame([Buffer.from('abc')], 0, 0).subarray(28)
    for (const [count, bytes] of [
      [2, payload],
      [1, payload.subarray(0, 6)],
      [1, payload.subarray(0, 3)],
      [0, payload],
    ] as const) {
      expect(() => forEachRecord(bytes, count, () => undefined))
        .to.throw(LogError)
        .with.property('code', 'CORRUPT')
    }
  })
})

/** The bytes of the dump: lines of four digits, two blanks, and up to sixteen bytes. */
function exampleHex(): string {
  const text = readFileSync(new URL('segment-format.md', import.meta.url), 'utf8')
  const lines = text.matchAll(/^ {4}[0-9a-f]{4} {2}((?:[0-9a-f]{2} ){1,16})/gm)
  return [...lines].map(([, bytes = '']) => bytes.replaceAll(' ', '')).join('')
}
