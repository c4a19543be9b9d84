import { expect } from 'chai'
import fc from 'fast-check'
import { keyFromText } from '../bytes/key.ts'
import { Arena } from './arena.ts'
import { KeyHistory } from './key-index.ts'
import { RevisionSequence } from './revision-sequence.ts'
import { type StoredVersion, storeVersion } from './stored-version.ts'

describe('RevisionSequence', () => {
  it('scans from any position, within and across blocks', () => {
    const { sequence, versions } = sequenceOf(Array.from({ length: 800 }, () => 2))
    expect(sequence.length).to.equal(1600)
    for (const [revision, sub, from] of [
      [0, 0, 0],
      [2, 0, 0],
      [2, 1, 1],
      [2, 2, 2],
      [500, 0, 996],
      [802, 0, 1600],
    ] as const) {
      expect(scanned(sequence, revision, sub), `${revision}.${sub}`).to.deep.equal(versions.slice(from))
      expect(sequence.atOrAfter(revision, sub)).to.equal(versions[from])
    }
  })

  it('refuses what is older than its end', () => {
    const { sequence, versions } = sequenceOf([1, 1])
    expect(() => {
      sequence.append(versions[0]!)
    }).to.throw('versions out of order: 2.0 after 3.0')
  })

  it('refuses to remove what is not in it', () => {
    const { sequence, versions } = sequenceOf([1, 1, 1])
    sequence.remove(versions[1]!)
    expect(() => {
      sequence.remove(versions[1]!)
    }).to.throw('version 3.0 is not in the sequence')
  })

  it('removes anything and still finds the rest', () => {
    const changes = fc.array(fc.constantFrom(1, 1, 1, 3, 700), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(changes, fc.array(fc.tuple(fc.nat(), fc.nat(400)), { maxLength: 6 }), (counts, cuts) => {
        const { sequence, versions } = sequenceOf(counts)
        for (const [at, count] of cuts) {
          for (const version of versions.splice(at % (versions.length + 1), count)) sequence.remove(version)
        }
        expect(sequence.length).to.equal(versions.length)
        expect(same(scanned(sequence, 0, 0), versions)).to.equal(true)
        const positionOf = sequence.positions()
        versions.forEach((version, position) => {
          expect(positionOf(version)).to.equal(position)
        })
      }),
      { numRuns: 40 },
    )
  })

  it('tells positions that stay right while versions are appended', () => {
    const { sequence, versions, append } = sequenceOf(Array.from({ length: 900 }, () => 1))
    const positionOf = sequence.positions()
    for (let count = 0; count < 1000; count++) append(1)
    versions.slice(0, 900).forEach((version, position) => {
      expect(positionOf(version)).to.equal(position)
    })
  })
})

/** A sequence whose revisions from 2 on have so many changes. */
function sequenceOf(counts: readonly number[]): {
  readonly sequence: RevisionSequence
  readonly versions: StoredVersion[]
  readonly append: (count: number) => void
} {
  const sequence = new RevisionSequence()
  const versions: StoredVersion[] = []
  const arena = new Arena()
  const history = new KeyHistory(keyFromText('key'))
  let modRevision = 1
  const append = (count: number): void => {
    modRevision++
    for (let sub = 0; sub < count; sub++) {
      const fields = { key: history.key, createRevision: modRevision, modRevision, version: 1, lease: 0n }
      const version = storeVersion(arena, history, fields, sub)
      sequence.append(version)
      versions.push(version)
    }
  }
  counts.forEach(append)
  return { sequence, versions, append }
}

function scanned(sequence: RevisionSequence, modRevision: number, sub: number): StoredVersion[] {
  const versions: StoredVersion[] = []
  sequence.scan(modRevision, sub, (version) => {
    versions.push(version)
    return true
  })
  return versions
}

function same(left: readonly StoredVersion[], right: readonly StoredVersion[]): boolean {
  return left.length === right.length && left.every((version, index) => version === right[index])
}
