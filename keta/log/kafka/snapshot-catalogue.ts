/** What the notes of the snapshot topic add up to: which snapshots there are, and what may be dropped. */
import type { Finished, Note, SaveId } from './snapshot-records.ts'

export interface PlacedNote {
  /** Its offset in partition 0. */
  readonly at: number
  readonly note: Note
}

/** The offsets that a partition holds: from `start` up to, not including, `end`. */
export interface Bounds {
  readonly start: number
  readonly end: number
}

export interface CatalogueView {
  readonly logId: string
  /** Of partition 1. For `pruning` it must have been asked for before the notes were read. */
  readonly parts: Bounds
  /** Of partition 0. */
  readonly notes: Bounds
  /** Milliseconds of the wall clock. */
  readonly now: number
  /** A save that began longer ago than this is taken for given up. */
  readonly patienceMs: number
}

export interface Pruning {
  /** Saves to note as removed. */
  readonly removed: readonly SaveId[]
  /** Below these offsets nothing is needed. */
  readonly partsBefore: number
  readonly notesBefore: number
}

/** Finished, not removed, of this log, and its parts are still there: newest first, one for each offset of the log. */
export function usableSnapshots(placed: readonly PlacedNote[], view: CatalogueView): readonly Finished[] {
  return usable(placed, view).map(({ note }) => note)
}

/** Whose logs, besides this one, have snapshots here. */
export function foreignLogs(placed: readonly PlacedNote[], { logId }: CatalogueView): readonly string[] {
  const found = placed.flatMap(({ note }) => (note.kind === 'removed' || note.logId === logId ? [] : [note.logId]))
  return [...new Set(found)]
}

/**
 * Keeps the `keep` newest, and what is not ours to judge: saves under way, and snapshots of other logs (two clusters
 * that were given one topic by mistake must not delete each other's only copy).
 */
export function pruning(placed: readonly PlacedNote[], keep: number, view: CatalogueView): Pruning {
  const kept = usable(placed, view).slice(0, keep)
  const keptIds = new Set(kept.map(({ note }) => note.id))
  const gone = removedIds(placed)
  const settled = settledIds(placed)
  const needed: { readonly at: number; readonly fromPart: number }[] = []
  const removed: SaveId[] = []
  for (const { at, note } of placed) {
    if (note.kind === 'removed') continue
    const isForeign = note.logId !== view.logId
    const isUnderWay = note.kind === 'begun' && !settled.has(note.id) && view.now - note.startedAt < view.patienceMs
    const isKept = note.kind === 'finished' && keptIds.has(note.id)
    if (isUnderWay || isKept || (isForeign && note.kind === 'finished')) needed.push({ at, fromPart: note.fromPart })
    else if (note.kind === 'finished' && !gone.has(note.id)) removed.push(note.id)
  }
  return {
    removed,
    partsBefore: Math.min(view.parts.end, ...needed.map(({ fromPart }) => fromPart)),
    notesBefore: Math.min(view.notes.end, ...needed.map(({ at }) => at)),
  }
}

interface PlacedFinished {
  readonly at: number
  readonly note: Finished
}

function usable(placed: readonly PlacedNote[], { logId, parts }: CatalogueView): readonly PlacedFinished[] {
  const gone = removedIds(placed)
  const byOffset = new Map<number, PlacedFinished>()
  for (const { at, note } of placed) {
    if (note.kind !== 'finished' || note.logId !== logId || gone.has(note.id)) continue
    // Of two of one offset the later one: the chunks of the earlier one are dropped first.
    if (note.fromPart >= parts.start) byOffset.set(note.offset, { at, note })
  }
  return [...byOffset.values()].sort((a, b) => b.note.offset - a.note.offset)
}

function removedIds(placed: readonly PlacedNote[]): ReadonlySet<SaveId> {
  return new Set(placed.flatMap(({ note }) => (note.kind === 'removed' ? note.ids : [])))
}

function settledIds(placed: readonly PlacedNote[]): ReadonlySet<SaveId> {
  const finished = placed.flatMap(({ note }) => (note.kind === 'finished' ? [note.id] : []))
  return new Set([...finished, ...removedIds(placed)])
}
