import { expect } from 'chai'
import fc from 'fast-check'
import { MalformedMessage } from '../../bytes/proto-reader.ts'
import type { Note } from './snapshot-records.ts'
import { decodeNote, decodePart, encodeNote, encodePart, NewerSnapshotFormat, partSum } from './snapshot-records.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const count = fc.nat(Number.MAX_SAFE_INTEGER)
const note: fc.Arbitrary<Note> = fc.oneof(
  fc.record({ kind: fc.constant('begun'), id, logId: fc.string(), fromPart: count, startedAt: count }),
  fc.record({ kind: fc.constant('removed'), ids: fc.array(id) }),
  fc.record({
    kind: fc.constant('finished'),
    ...{ id, logId: fc.string(), offset: count, fromPart: count, endPart: count, chunks: count, parts: count },
    ...{ sizeBytes: count, checksum: fc.nat(0xffff_ffff) },
  }),
)

describe('records of the snapshot topic', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(note, (written) => {
        expect(decodeNote(encodeNote(written))).to.deep.equal(written)
      }),
    )
    const part = fc.record({ number: fc.nat(0xffff_ffff), isLast: fc.boolean(), content: fc.uint8Array() })
    fc.assert(
      fc.property(id, part, (save, written) => {
        const { content, ...rest } = decodePart(save, encodePart(save, written)) ?? { content: undefined }
        expect(rest).to.deep.equal({ number: written.number, isLast: written.isLast })
        expect(Buffer.compare(content ?? Buffer.from('none'), written.content)).to.equal(0)
      }),
    )
  })

  it('are passed over when they are of another save, or none', () => {
    const part = encodePart('00'.repeat(16), { number: 0, isLast: true, content: Buffer.from('content') })
    expect(decodePart('11'.repeat(16), part)).to.equal(undefined)
    expect(decodePart('00'.repeat(16), part.subarray(0, 10))).to.equal(undefined)
  })

  it('have one checksum whoever writes them, and another with each bit that differs', () => {
    const part = { number: 3, isLast: false, content: Buffer.from('content') }
    const sum = (save: string, changed: Partial<typeof part>): string =>
      Buffer.from(partSum(encodePart(save, { ...part, ...changed }))).toString('hex')
    const one = sum('00'.repeat(16), {})
    expect(sum('11'.repeat(16), {})).to.equal(one)
    const others = [{ number: 4 }, { isLast: true }, { content: Buffer.from('content.') }]
    for (const changed of others) expect(sum('00'.repeat(16), changed)).not.to.equal(one)
  })

  it('of a later format are refused by name, of a kind that was added passed over', () => {
    expect(() => decodeNote(Buffer.from([0x08, 0x02]))).to.throw(NewerSnapshotFormat, 'upgrade')
    expect(decodeNote(Buffer.from([0x08, 0x01, 0x10, 0x09]))).to.equal(undefined)
  })

  it('that are none are refused, whatever their bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          decodeNote(bytes)
        } catch (error) {
          if (!(error instanceof NewerSnapshotFormat)) expect(error).to.be.instanceOf(MalformedMessage)
        }
      }),
    )
  })
})
