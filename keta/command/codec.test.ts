/** The payload of a command record. */
import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { authChange } from './auth.arbitraries.ts'
import { SERVER } from './author.ts'
import { decodeAuthored, decodeCommand, encodeCommand } from './codec.ts'
import type { Command } from './command.ts'
import { compactOperation, deleteOperation, putOperation, txnOperation } from './operations.arbitraries.ts'
import { RecordError } from './record-error.ts'
import { encodeByHand } from './reference-encoder.fixture.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

const command: fc.Arbitrary<Command> = fc.oneof(
  putOperation,
  deleteOperation,
  compactOperation,
  txnOperation,
  fc.record({ kind: fc.constant('leaseGrant' as const), id: int64, ttl: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('leaseRevoke' as const), id: int64 }),
  fc.record({
    kind: fc.constant('alarm' as const),
    action: fc.constantFrom('activate' as const, 'deactivate' as const),
    memberId: uint64,
    alarm: fc.integer({ min: 0, max: 9 }),
  }),
  authChange.map((change) => ({ kind: 'auth' as const, change })),
)

describe('a command payload', () => {
  it('is decoded to the command that was encoded', () => {
    fc.assert(
      fc.property(command, (original) => {
        const payload = encodeCommand(original)
        const decoded = decodeCommand(payload)
        expect(decoded.kind).to.equal(original.kind)
        expect(encodeCommand(decoded)).to.deep.equal(payload)
        if (original.kind !== 'put' && original.kind !== 'txn') expect(decoded).to.deep.equal(original)
      }),
    )
  })

  it("keeps the client's own message, byte for byte", () => {
    fc.assert(
      fc.property(putOperation, (put) => {
        const body = encodeByHand(put)
        const payload = encodeCommand(put, body)
        expect(payload.subarray(1)).to.deep.equal(Buffer.from(body))
        expect(decodeCommand(payload)).to.deep.include({ key: put.key, lease: put.lease })
      }),
    )
  })

  it('carries its author before it, if there is one', () => {
    const author = fc.record({ user: fc.string({ unit: 'binary' }), authRevision: fc.maxSafeInteger() })
    fc.assert(
      fc.property(command, fc.oneof(author, fc.constant(SERVER), fc.constant(undefined)), (original, by) => {
        const decoded = decodeAuthored(encodeCommand(original, undefined, by))
        expect(decoded.author).to.deep.equal(by)
        expect(decoded.author === SERVER).to.equal(by === SERVER)
        expect(encodeCommand(decoded.command)).to.deep.equal(encodeCommand(original))
      }),
    )
  })

  it('with an author is of a kind that an older node does not know, and stops at', () => {
    const put = encodeCommand({ kind: 'compact', revision: 1, physical: false }, undefined, SERVER)
    expect([...put]).to.deep.equal([0x0a, 2, 0x18, 1, 4, 8, 1])
  })

  it('numbers the kinds as the log format fixes them', () => {
    const kinds = ['put', 'deleteRange', 'txn', 'compact', 'leaseGrant', 'leaseRevoke']
    kinds.forEach((kind, index) => expect(decodeCommand(Uint8Array.of(index + 1)).kind).to.equal(kind))
    expect(decodeCommand(Uint8Array.of(7, 8, 1)).kind).to.equal('alarm')
    expect(decodeCommand(Uint8Array.of(8, 8, 1)).kind).to.equal('auth')
  })

  it('of a kind that is not known is refused, not skipped', () => {
    for (const kind of [0, 9, 255]) {
      const decode = () => decodeCommand(Uint8Array.of(kind))
      expect(decode).to.throw(RecordError).with.property('code', 'UNSUPPORTED_RECORD')
    }
  })

  const garbled: readonly (readonly [string, readonly number[]])[] = [
    ['nothing', []],
    ['a put cut short', [1, 0x0a, 5]],
    ['an alarm that only asks', [7]],
    ['an auth change of another version', [8, 8, 99]],
    ['an auth change with an unknown field', [8, 8, 1, 0x50, 1]],
  ]
  for (const [what, bytes] of garbled) {
    it(`that is ${what} is refused as garbled`, () => {
      expect(() => decodeCommand(Uint8Array.from(bytes)))
        .to.throw(RecordError)
        .with.property('code', 'GARBLED_RECORD')
    })
  }

  it('says what was wrong with a message', () => {
    try {
      decodeCommand(Uint8Array.of(1, 0x0a, 5))
      expect.fail('decoded')
    } catch (error) {
      expect(error).to.have.property('cause').that.is.instanceOf(MalformedMessage)
    }
  })
})
