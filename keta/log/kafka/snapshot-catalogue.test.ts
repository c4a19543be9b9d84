import { expect } from 'chai'
import fc from 'fast-check'
import type { CatalogueView, PlacedNote } from './snapshot-catalogue.ts'
import { foreignLogs, pruning, usableSnapshots } from './snapshot-catalogue.ts'
import type { Finished, Note } from './snapshot-records.ts'

const LOG = 'log'
const PATIENCE_MS = 1_000

describe('the catalogue of the snapshot topic', () => {
  it('lists what is finished, newest first, and of one offset what was saved last', () => {
    const notes = [finished('a', 5, 0), begun('b', 10), finished('c', 9, 20), finished('d', 5, 30)]
    expect(usableSnapshots(placed(notes), view()).map(({ id }) => id)).to.deep.equal(['c', 'd'])
  })

  it('does not list what was removed, has lost chunks, or is of another log', () => {
    const removed: Note = { kind: 'removed', ids: ['a'] }
    const notes = [finished('a', 5, 50), finished('b', 6, 9), finished('c', 7, 60, 'another'), removed]
    expect(usableSnapshots(placed(notes), view({ parts: { start: 10, end: 100 } }))).to.deep.equal([])
    expect(foreignLogs(placed(notes), view())).to.deep.equal(['another'])
  })

  it('drops all below the oldest that is kept', () => {
    const notes = [begun('a', 0), finished('a', 1, 0), begun('b', 10), finished('b', 2, 10), finished('c', 3, 20)]
    expect(pruning(placed(notes), 2, view())).to.deep.equal({ removed: ['a'], partsBefore: 10, notesBefore: 3 })
    expect(pruning(placed(notes), 9, view())).to.deep.equal({ removed: [], partsBefore: 0, notesBefore: 1 })
  })

  it('drops everything when none is kept', () => {
    const notes = [finished('a', 1, 0), finished('b', 2, 10)]
    expect(pruning(placed(notes), 0, view())).to.deep.equal({ removed: ['a', 'b'], partsBefore: 100, notesBefore: 100 })
  })

  it('removes by name what is older but lies after what is kept', () => {
    const notes = [finished('new', 9, 0), finished('old', 1, 10)]
    expect(pruning(placed(notes), 1, view())).to.deep.equal({ removed: ['old'], partsBefore: 0, notesBefore: 0 })
  })

  it('leaves a save alone that may be under way, until it is too old', () => {
    const notes = [begun('slow', 5), finished('a', 1, 20)]
    expect(pruning(placed(notes), 1, view())).to.include({ partsBefore: 5, notesBefore: 0 })
    expect(pruning(placed(notes), 1, view({ now: PATIENCE_MS }))).to.include({ partsBefore: 20, notesBefore: 1 })
    const given: Note = { kind: 'removed', ids: ['slow'] }
    expect(pruning(placed([...notes, given]), 1, view())).to.include({ partsBefore: 20, notesBefore: 1 })
  })

  it('leaves the snapshots of other logs alone', () => {
    const notes = [finished('theirs', 1, 3, 'another'), finished('ours', 2, 20)]
    expect(pruning(placed(notes), 0, view())).to.deep.equal({ removed: ['ours'], partsBefore: 3, notesBefore: 0 })
  })

  it('lists after a prune just what the prune has kept, whatever has happened before', () => {
    const step = fc.record({ save: fc.nat(6), offset: fc.nat(5), does: fc.constantFrom('begin', 'finish', 'remove') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.nat(3), (steps, keep) => {
        const notes = placed(
          steps.map(({ save, offset, does }, index): Note => {
            const id = `${save}-${index}`
            if (does === 'begin') return begun(id, index * 10)
            return does === 'finish'
              ? finished(id, offset, index * 10)
              : { kind: 'removed', ids: [`${save}-${index - 1}`] }
          }),
        )
        const before = usableSnapshots(notes, view())
        const { removed, partsBefore, notesBefore } = pruning(notes, keep, view({ parts: { start: 0, end: 1_000 } }))
        const left = notes.filter(({ at }) => at >= notesBefore)
        const after = usableSnapshots(
          [...left, { at: 500, note: { kind: 'removed', ids: removed } }],
          view({ parts: { start: partsBefore, end: 1_000 } }),
        )
        expect(after).to.deep.equal(before.slice(0, keep))
      }),
    )
  })
})

function placed(notes: readonly Note[]): readonly PlacedNote[] {
  return notes.map((note, at) => ({ at, note }))
}

function begun(id: string, fromPart: number): Note {
  return { kind: 'begun', id, logId: LOG, fromPart, startedAt: 0 }
}

function finished(id: string, offset: number, fromPart: number, logId = LOG): Finished {
  const rest = { endPart: fromPart + 5, chunks: 1, parts: 5, sizeBytes: 9, checksum: 0 }
  return { kind: 'finished', id, logId, offset, fromPart, ...rest }
}

function view(changes: Partial<CatalogueView> = {}): CatalogueView {
  const parts = { start: 0, end: 100 }
  return { logId: LOG, parts, notes: { start: 0, end: 100 }, now: 0, patienceMs: PATIENCE_MS, ...changes }
}
