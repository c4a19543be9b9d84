/** The examples are those of the header of key-index.ts. */
import { expect } from 'chai'
import { keyFromText } from '../bytes/key.ts'
import { Arena } from './arena.ts'
import { KeyHistory, KeyIndex } from './key-index.ts'
import { type StoredVersion, storeVersion } from './stored-version.ts'

const KEY = keyFromText('lamp')

describe('KeyHistory', () => {
  it('finds the newest version at or before a revision', () => {
    const history = lamp()
    const found = [2, 3, 4, 5, 6, 7, 8, 9, 10].map((revision) => named(history.at(revision)))
    expect(found).to.deep.equal(['–', '3.0', '4.0', '4.0', '6.0†', '6.0†', '8.0', '9.1†', '9.1†'])
  })

  it('finds nothing alive where the newest version is a tombstone', () => {
    const history = lamp()
    const found = [2, 3, 4, 5, 6, 7, 8, 9, 10].map((revision) => named(history.liveAt(revision)))
    expect(found).to.deep.equal(['–', '3.0', '4.0', '4.0', '–', '–', '8.0', '–', '–'])
    expect(history.alive).to.equal(undefined)
  })

  it('loses to a compaction what nobody can see any more, always the oldest', () => {
    const left: Record<number, string> = {
      2: '3.0 4.0 6.0† 8.0 9.0 9.1†',
      3: '3.0 4.0 6.0† 8.0 9.0 9.1†',
      4: '4.0 6.0† 8.0 9.0 9.1†',
      5: '4.0 6.0† 8.0 9.0 9.1†',
      6: '6.0† 8.0 9.0 9.1†',
      7: '8.0 9.0 9.1†',
      8: '8.0 9.0 9.1†',
      9: '9.1†',
      10: '',
    }
    for (const [compactRevision, expected] of Object.entries(left)) {
      const history = lamp()
      const all = versionsOf(history)
      const dead = history.deadCount(Number(compactRevision))
      const surviving = all.filter((version) => version.survives(Number(compactRevision)))
      expect(history.dropOldest(dead)).to.deep.equal(all.slice(0, dead))
      expect(versionsOf(history).map(named).join(' '), compactRevision).to.equal(expected)
      expect(surviving.map(named).join(' '), compactRevision).to.equal(expected)
    }
  })

  it('can be emptied step by step', () => {
    const history = lamp()
    for (let length = 6; length > 0; length--) {
      expect(history.length).to.equal(length)
      expect(history.dropOldest(1)).to.have.lengthOf(1)
    }
    expect(history.length).to.equal(0)
    expect(history.newest).to.equal(undefined)
    expect(history.at(100)).to.equal(undefined)
    expect(history.deadCount(100)).to.equal(0)
    expect(() => history.dropOldest(1)).to.throw('cannot drop 1 of 0 versions')
  })

  it('grows past the length up to which it keeps its array exact', () => {
    const arena = new Arena()
    const history = new KeyHistory(KEY)
    for (let revision = 2; revision < 102; revision++) append(arena, history, revision, 0, false)
    expect(versionsOf(history)).to.have.lengthOf(100)
    for (let revision = 2; revision < 102; revision++) expect(history.at(revision)?.modRevision).to.equal(revision)
  })

  it('refuses versions out of order', () => {
    const history = lamp()
    expect(() => {
      append(new Arena(), history, 9, 1, false)
    }).to.throw('versions of a key out of order: 9.1 after 9.1')
  })
})

describe('KeyIndex', () => {
  it('keeps one history per key', () => {
    const index = new KeyIndex()
    expect(index.get(KEY)).to.equal(undefined)
    const history = index.getOrInsert(KEY)
    expect(index.getOrInsert(KEY)).to.equal(history)
    expect(index.get(KEY)).to.equal(history)
    expect(index.size).to.equal(1)
    index.delete(KEY)
    expect(index.size).to.equal(0)
  })
})

function lamp(): KeyHistory {
  const arena = new Arena()
  const history = new KeyHistory(KEY)
  append(arena, history, 3, 0, false)
  append(arena, history, 4, 0, false)
  append(arena, history, 6, 0, true)
  append(arena, history, 8, 0, false)
  append(arena, history, 9, 0, false)
  append(arena, history, 9, 1, true)
  return history
}

function append(arena: Arena, history: KeyHistory, modRevision: number, sub: number, isTombstone: boolean): void {
  const version = isTombstone ? 0 : 1
  const createRevision = isTombstone ? 0 : modRevision
  const fields = { key: KEY, createRevision, modRevision, version, lease: 0n }
  history.append(storeVersion(arena, history, fields, sub))
}

function versionsOf(history: KeyHistory): StoredVersion[] {
  return Array.from({ length: history.length }, (_, position) => history.version(position)!)
}

function named(version: StoredVersion | undefined): string {
  return version === undefined ? '–' : `${version.modRevision}.${version.sub}${version.isTombstone ? '†' : ''}`
}
