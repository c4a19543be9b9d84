import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { MemberInfo } from '../cluster/coordination.ts'
import type { AssignmentMessage } from './group-messages.ts'
import { decodeAssignment, decodeMetadata, encodeAssignment, encodeMetadata } from './group-messages.ts'
import { NewerGroupFormat } from './group-messages.ts'

const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const count = fc.nat(Number.MAX_SAFE_INTEGER - 1)
const text = fc.string({ unit: 'grapheme' })
const info: fc.Arbitrary<MemberInfo> = fc.record({
  memberId: id,
  name: text,
  clientUrls: fc.array(fc.webUrl(), { maxLength: 3 }),
  eligible: fc.boolean(),
  ledEpoch: count,
  appliedOffset: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER - 1 }),
  startedAt: count,
})
const assignment: fc.Arbitrary<AssignmentMessage> = fc.record({
  leader: fc.option(id, { nil: undefined }),
  members: fc.array(fc.record({ kafkaId: text, info }), { maxLength: 4 }),
  refused: fc.array(fc.record({ memberId: id, startedAt: count, conflict: text }), { maxLength: 2 }),
})

describe('messages between the members of a group', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(info, fc.nat(), (member, round) => {
        expect(decodeMetadata(encodeMetadata(member, round))).to.deep.equal(member)
      }),
    )
    fc.assert(
      fc.property(assignment, (message) => {
        expect(decodeAssignment(encodeAssignment(message))).to.deep.equal(message)
      }),
    )
  })

  it('may contain fields that a later version has added', () => {
    fc.assert(
      fc.property(info, assignment, fc.integer({ min: 20, max: 1_000 }), (member, message, field) => {
        const added = new ProtoWriter()
        added.stringField(field, 'added')
        const more = added.finish()
        expect(decodeMetadata(Buffer.concat([encodeMetadata(member, 1), more]))).to.deep.equal(member)
        expect(decodeAssignment(Buffer.concat([more, encodeAssignment(message)]))).to.deep.equal(message)
      }),
    )
  })

  it('differ from round to round, so that the coordinator notices', () => {
    fc.assert(
      fc.property(info, fc.nat(), (member, round) => {
        expect(encodeMetadata(member, round).equals(encodeMetadata(member, round + 1))).to.equal(false)
      }),
    )
  })

  it('of a later format are refused by name', () => {
    const later = Buffer.from([0x08, 0x02])
    expect(() => decodeMetadata(later)).to.throw(NewerGroupFormat, 'upgrade')
    expect(() => decodeAssignment(later)).to.throw(NewerGroupFormat, 'upgrade')
  })

  it('that are none are refused, whatever their bytes', () => {
    for (const decode of [decodeMetadata, decodeAssignment])
      expect(() => decode(new Uint8Array())).to.throw(MalformedMessage)
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        for (const decode of [decodeMetadata, decodeAssignment]) {
          try {
            decode(bytes)
          } catch (error) {
            if (!(error instanceof NewerGroupFormat)) expect(error).to.be.instanceOf(MalformedMessage)
          }
        }
      }),
    )
  })
})
