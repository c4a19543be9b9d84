/** The log record's encoding, and the chain by which one owner writes. */
import { expect } from 'chai'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { chainHash, ZERO_HASH } from '../bytes/hash64.ts'
import { keyFromText } from '../bytes/key.ts'
import { decodeClaim, encodeClaim } from './claim.ts'
import { encodeCommand } from './codec.ts'
import type { Command } from './command.ts'
import { decodeRecord, encodeRecord, RecordChain, RECORD_HEADER_BYTES } from './record.ts'
import { RecordError } from './record-error.ts'

const OWNER = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
const START = { epoch: 0, owner: '', seq: 0, hash: ZERO_HASH }
const CLAIMER = { memberId: 2n ** 64n - 1n, urls: ['http://a:2379'], readLeaseMs: 0 }
const PUT: Command = {
  kind: 'put',
  key: keyFromText('k'),
  value: Buffer.from('v'),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
}

describe('a log record', () => {
  it('is decoded to what was encoded', () => {
    const header = fc.record({
      kind: fc.constantFrom('claim' as const, 'command' as const),
      epoch: fc.maxSafeNat(),
      owner: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      seq: fc.maxSafeNat(),
      previousHash: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    })
    fc.assert(
      fc.property(header, fc.uint8Array(), (fields, payload) => {
        const decoded = decodeRecord(Uint8Array.from(encodeRecord(fields, payload)))
        expect(decoded).to.deep.equal({ ...fields, payload: Buffer.from(payload) })
      }),
    )
  })

  it('is written as record-format.md shows', () => {
    const documented = readFileSync(new URL('record-format.md', import.meta.url), 'utf8')
    const example = documented.slice(documented.indexOf('## Example')).match(/^ {4}.*$/gm) ?? []
    const chain = RecordChain.claiming(START, OWNER)
    const records = [chain.claim(CLAIMER), chain.command(encodeCommand(PUT)), chain.tick(0)]
    const written = records.map((record) => record.toString('hex')).join('')
    expect(example.join('').replaceAll(/\s/g, '')).to.equal(written)
  })

  it('carries the hash over all records before it, also within a batch', () => {
    const chain = RecordChain.claiming(START, OWNER)
    let hash = ZERO_HASH
    const records = [
      chain.claim(CLAIMER),
      chain.command(encodeCommand(PUT)),
      chain.tick(0),
      chain.command(encodeCommand(PUT)),
    ]
    records.forEach((record, index) => {
      const decoded = decodeRecord(record)
      expect(decoded.seq).to.equal(index)
      expect(decoded.epoch).to.equal(1)
      if (index > 0) expect(decoded.previousHash).to.equal(hash)
      hash = chainHash(hash, record)
    })
  })

  it('is continued from a position as if there had been no interruption', () => {
    const whole = RecordChain.claiming(START, OWNER)
    const claim = whole.claim(CLAIMER)
    const continued = RecordChain.continuing({
      epoch: 1,
      owner: OWNER.toString('latin1'),
      seq: 0,
      hash: chainHash(ZERO_HASH, claim),
    })
    expect(continued.tick(0)).to.deep.equal(whole.tick(0))
  })

  it('holds a claim with its addresses and feature level', () => {
    const claimer = { memberId: 2n ** 63n + 5n, urls: ['http://a', '', 'http://ü'], readLeaseMs: 1500 }
    const claim = { ...claimer, prevEpoch: 6, featureLevel: 2 }
    expect(decodeClaim(encodeClaim(claim))).to.deep.equal(claim)
    const record = decodeRecord(RecordChain.claiming({ ...START, epoch: 6 }, OWNER).claim(claim, 2))
    expect(record).to.include({ kind: 'claim', epoch: 7, seq: 0, previousHash: ZERO_HASH })
    expect(decodeClaim(record.payload)).to.deep.equal(claim)
  })

  const whole = encodeRecord(
    { kind: 'tick', epoch: 1, owner: OWNER.toString('latin1'), seq: 1, previousHash: ZERO_HASH },
    Buffer.alloc(4),
  )
  const refused: readonly (readonly [string, Uint8Array, RecordError['code']])[] = [
    ['no bytes', Buffer.alloc(0), 'GARBLED_RECORD'],
    ['zeros', Buffer.alloc(100), 'GARBLED_RECORD'],
    ['a header cut short', whole.subarray(0, RECORD_HEADER_BYTES - 1), 'GARBLED_RECORD'],
    ['an epoch beyond 2^53', changed(whole, 2, 0xff), 'GARBLED_RECORD'],
    ['a seq beyond 2^53', changed(whole, 26, 0xff), 'GARBLED_RECORD'],
    ['a newer format', changed(whole, 0, 2), 'UNSUPPORTED_RECORD'],
    ['a newer kind', changed(whole, 1, 4), 'UNSUPPORTED_RECORD'],
    ['kind 0', changed(whole, 1, 0), 'UNSUPPORTED_RECORD'],
    ['a tick that says more than its digest', Buffer.concat([whole, Buffer.of(1)]), 'UNSUPPORTED_RECORD'],
  ]
  for (const [what, bytes, code] of refused) {
    it(`is refused with ${code} if it is ${what}`, () => {
      expect(() => decodeRecord(bytes))
        .to.throw(RecordError)
        .with.property('code', code)
    })
  }

  it('is refused if its claim is broken', () => {
    expect(() => decodeClaim(Uint8Array.of(0x12, 0x7f)))
      .to.throw(RecordError)
      .with.property('code', 'GARBLED_RECORD')
  })

  it('is not written with an owner or hash of the wrong length', () => {
    const header = { kind: 'tick', epoch: 1, owner: 'short', seq: 1, previousHash: ZERO_HASH } as const
    expect(() => encodeRecord(header, Buffer.alloc(0))).to.throw('owner of 5 bytes')
  })
})

function changed(record: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(record)
  copy[at] = byte
  return copy
}
