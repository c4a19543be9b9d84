/** Dumping the state and restoring it. */
import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromText } from '../bytes/key.ts'
import { commandOrAuth } from './commands.arbitraries.ts'
import { put } from './operations.fixture.ts'
import { contents, plainVersion, Replica } from './replica.fixture.ts'
import { SnapshotError, SnapshotLoader } from './snapshot.ts'
import { encodeHeader } from './snapshot-header.ts'
import { StateMachine } from './state-machine.ts'

describe('a snapshot', () => {
  it('restores a state that goes on exactly like the one it was taken of', () => {
    const commands = fc.array(commandOrAuth, { maxLength: 30, size: 'max' })
    fc.assert(
      fc.property(commands, commands, (before, after) => {
        const original = new Replica()
        for (const each of before) original.run(each)
        const restored = restore(chunksOf(original.state))
        expect(contents(restored)).to.equal(contents(original.state))
        expect(restored.position).to.deep.equal(original.state.position)
        const taken = original.records.length
        for (const each of after) {
          const expected = original.run(each)
          const record = original.records.at(-1) ?? Buffer.alloc(0)
          const applied = restored.apply(original.state.position.offset, record)
          expect(applied).to.include({ status: 'applied', failure: expected.failure })
        }
        expect(original.records.length).to.equal(taken + after.length)
        expect(contents(restored)).to.equal(contents(original.state))
        expect(restored.position).to.deep.equal(original.state.position)
      }),
      { numRuns: 60 },
    )
  })

  it('of a state without users is as it was before there were any', () => {
    const replica = new Replica()
    replica.run(put('k', 'v'))
    const [header] = chunksOf(replica.state)
    const { position, claimer, featureLevel, store } = replica.state
    const old = { position, claimer, featureLevel, revision: store.revision, leases: [], alarms: [] }
    expect(Buffer.from(header ?? [])).to.deep.equal(encodeHeader(old))
  })

  it('shows the state of the moment when it was begun, whatever is applied while it is read', () => {
    const replica = new Replica()
    replica.run({ kind: 'leaseGrant', id: 1n, ttl: 60 })
    for (const key of ['a', 'b', 'c']) replica.run(put(key, 'before', { lease: 1n }))
    const before = contents(replica.state)
    const { position } = replica.state
    const dump = replica.state.dump()
    replica.run({ kind: 'leaseGrant', id: 2n, ttl: 60 })
    const chunks: Uint8Array[] = []
    for (const chunk of dump.chunks) {
      chunks.push(Uint8Array.from(chunk))
      replica.run(put('b', 'after', { lease: 2n }))
      replica.run({ kind: 'alarm', action: 'activate', memberId: 1n, alarm: 7 })
    }
    replica.run({ kind: 'leaseRevoke', id: 1n })
    dump.close()
    dump.close()
    expect(dump.offset).to.equal(position.offset)
    const restored = restore(chunks)
    expect(contents(restored)).to.equal(before)
    expect(restored.position).to.deep.equal(position)
  })

  it('holds the attachments of leases as they are, not as they once were', () => {
    const replica = new Replica()
    for (const id of [1n, -2n]) replica.run({ kind: 'leaseGrant', id, ttl: 60 })
    for (const key of ['a', 'b', 'c']) replica.run(put(key, '', { lease: 1n }))
    replica.run(put('a', '', { lease: -2n }))
    replica.run(put('b'))
    const { leases } = restore(chunksOf(replica.state))
    expect([...leases.leases()].map((lease) => [lease.id, lease.ttl, lease.sortedKeys()])).to.deep.equal([
      [1n, 60, ['c']],
      [-2n, 60, ['a']],
    ])
  })

  it('holds alarms, feature level, compaction and who leads', () => {
    const replica = new Replica()
    replica.run(put('k', 'old'))
    replica.run(put('k', 'new'))
    replica.run({ kind: 'compact', revision: 3, physical: false })
    replica.run({ kind: 'alarm', action: 'activate', memberId: 2n ** 64n - 1n, alarm: 1 })
    const restored = restore(chunksOf(replica.state))
    expect(restored.alarms.list()).to.deep.equal([{ memberId: 2n ** 64n - 1n, alarm: 1 }])
    expect(restored.featureLevel).to.equal(1)
    expect(restored.claimer).to.deep.equal(replica.state.claimer)
    expect(restored.position).to.deep.equal(replica.state.position)
    expect(restored.store.compactRevision).to.equal(3)
    expect(restored.store.checkRevision(2)).to.equal('compacted')
    expect(plainVersion(restored.store.get(keyFromText('k'), 3))).to.have.property('value', 'new')
  })

  it('of an empty state restores an empty state', () => {
    const restored = restore(chunksOf(new StateMachine()))
    expect(contents(restored)).to.equal(contents(new StateMachine()))
    expect(restored.position).to.deep.equal(new StateMachine().position)
  })

  const damaged: readonly (readonly [
    string,
    (chunks: readonly Uint8Array[]) => readonly Uint8Array[],
    SnapshotError['code'],
  ])[] = [
    ['is empty', () => [], 'GARBLED_SNAPSHOT'],
    ['is something else', () => [Buffer.from('something else')], 'GARBLED_SNAPSHOT'],
    [
      'is of a newer format',
      ([first = Buffer.alloc(0), ...rest]) => [changed(first, 8, 2), ...rest],
      'UNSUPPORTED_SNAPSHOT',
    ],
    [
      'has an unknown header field',
      ([first = Buffer.alloc(0), ...rest]) => [Buffer.concat([first, Buffer.of(0x78, 1)]), ...rest],
      'UNSUPPORTED_SNAPSHOT',
    ],
    [
      'has a broken header',
      ([first = Buffer.alloc(0), ...rest]) => [first.subarray(0, -1), ...rest],
      'GARBLED_SNAPSHOT',
    ],
    ['lacks its store', ([first = Buffer.alloc(0)]) => [first], 'GARBLED_SNAPSHOT'],
    ['lacks its last chunk', (chunks) => chunks.slice(0, -1), 'GARBLED_SNAPSHOT'],
    ['lacks the lease of a key', ([, ...rest]) => [headerWithout(), ...rest], 'GARBLED_SNAPSHOT'],
  ]
  for (const [what, damage, code] of damaged) {
    it(`is refused with ${code} if it ${what}`, () => {
      const replica = new Replica()
      replica.run({ kind: 'leaseGrant', id: 1n, ttl: 60 })
      replica.run(put('k', 'v', { lease: 1n }))
      const chunks = chunksOf(replica.state)
      expect(() => restore(damage(chunks)))
        .to.throw(SnapshotError)
        .with.property('code', code)
    })
  }
})

/** A header that fits the store but names another lease. */
function headerWithout(): Buffer {
  const { position } = new StateMachine()
  return encodeHeader({
    position,
    claimer: undefined,
    featureLevel: 1,
    revision: 2,
    leases: [{ id: 9n, ttl: 60 }],
    alarms: [],
  })
}

function chunksOf(state: StateMachine): readonly Uint8Array[] {
  const dump = state.dump()
  const chunks = [...dump.chunks].map((chunk) => Uint8Array.from(chunk))
  dump.close()
  return chunks
}

function restore(chunks: readonly Uint8Array[]): StateMachine {
  const loader = new SnapshotLoader()
  for (const chunk of chunks) loader.add(chunk)
  return loader.finish()
}

function changed(bytes: Uint8Array, at: number, byte: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = byte
  return copy
}
