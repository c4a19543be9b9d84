/**
 * What a change of the store asks for, computed on what stands there: no input or output. The committer reads the rows
 * that a change needs, lets it decide, and writes what it has staged if nothing has changed since the read.
 */
import { CoordinationError, type FencingToken, versionOf } from '../../spi/index.ts'
import type { Commit, CommitOutcome, Holder, KeyChange, Seat, Seated } from '../shared/driver.ts'
import { BACKEND } from './capabilities.ts'
import { leaderAt, markAt, type Place, placeText, seatAt, sessionAt, sessionOfMark, valueAt } from './layout.ts'
import { type Content, contentOf, entryOf, type Row, seatedOf } from './row.ts'

/** What stands in the rows that were read, at one moment. */
export interface View {
  get(place: Place): Row | undefined
  /** All leaders, members, marks and sessions; only if the change has asked for them. */
  readonly small: readonly Row[]
}

export interface Stage {
  put(place: Place, become: Content | undefined): void
  /** Nothing is written, but the store must go on to another revision: what is on its way then comes too late. */
  advance(): void
}

export interface Change<T> {
  /** The places that it may write to; it also looks at them. */
  readonly writes: readonly Place[]
  /** The places that it only looks at. */
  readonly reads: readonly Place[]
  /** It needs all small rows, and may remove any of them: all that it looks at besides are small rows too. */
  readonly needsSmall?: boolean
  /** Of what it may write. */
  readonly bytes: number
  /**
   * @param revision that what is staged will have.
   * @throws CoordinationError with effect `none`, and nothing staged.
   */
  decide(view: View, stage: Stage, revision: bigint): T
}

/** A mark that no commit follows any more. */
const VOID = 0n

const ROW_BYTES = 200

/** Makes a session known, and ends earlier ones of the same driver, whose seats it may want. */
export function openSession(id: string, ttlMs: number, earlier: readonly string[]): Change<void> {
  const place = sessionAt(id)
  return {
    writes: [place, ...earlier.map(sessionAt)],
    reads: [],
    needsSmall: earlier.length > 0,
    bytes: ROW_BYTES,
    decide(view, stage) {
      for (const other of earlier) clear(other, view, stage)
      if (view.get(place) === undefined) stage.put(place, { number: BigInt(Math.ceil(ttlMs)) })
    },
  }
}

/** Empties all that the session holds; it has been ended before. */
export function forgetSession(id: string): Change<void> {
  return {
    writes: [sessionAt(id)],
    reads: [],
    needsSmall: true,
    bytes: ROW_BYTES,
    decide: (view, stage) => clear(id, view, stage),
  }
}

export function takeSeat(seat: Seat, holder: Holder): Change<Seated> {
  const place = seatAt(seat)
  const session = sessionAt(holder.session)
  return {
    writes: [place],
    reads: [session],
    bytes: ROW_BYTES + holder.data.length,
    decide(view, stage, revision) {
      const there = view.get(place)
      if (view.get(session) === undefined) throw lost('none')
      if (there !== undefined) return seatedOf(there)
      stage.put(place, contentOf(holder, revision))
      return { ...holder, data: new Uint8Array(holder.data), token: revision }
    },
  }
}

export function amendSeat(seat: Seat, token: FencingToken, data: Uint8Array): Change<boolean> {
  const place = seatAt(seat)
  return {
    writes: [place],
    reads: [],
    bytes: ROW_BYTES + data.length,
    decide(view, stage) {
      const there = view.get(place)
      if (there?.since !== token) return false
      stage.put(place, contentOf({ ...seatedOf(there), data }, token))
      return true
    },
  }
}

export function emptySeat(seat: Seat, token: FencingToken): Change<void> {
  const place = seatAt(seat)
  return {
    writes: [place],
    reads: [],
    bytes: ROW_BYTES,
    decide(view, stage) {
      if (view.get(place)?.since === token) stage.put(place, undefined)
    },
  }
}

/** Nothing that was sent before it can take effect after it. */
export function advance(): Change<void> {
  return { writes: [], reads: [], bytes: ROW_BYTES, decide: (_view, stage) => stage.advance() }
}

export function commitChange(commit: Commit): Change<CommitOutcome> {
  const { changes, fence, id } = commit
  const mark = markAt(id)
  const session = sessionAt(id.session)
  const leader = fence && leaderAt(fence.service)
  return {
    writes: [mark, ...changes.map(({ key }) => valueAt(key))],
    reads: leader === undefined ? [session] : [session, leader],
    bytes: bytesOf(changes),
    decide(view, stage, revision) {
      if (view.get(session) === undefined) throw lost('none')
      const last = view.get(mark)
      if (last !== undefined && last.number === BigInt(id.number)) return tookPlace(commit, last.at)
      if ((last?.number ?? 0n) !== BigInt(id.after) || (last !== undefined && last.number === VOID)) {
        const message = 'the commit was given up before it was sent'
        throw new CoordinationError('INTERNAL', message, { backend: BACKEND, effect: 'none' })
      }
      const found = new Map(changes.map(({ key }) => [key, view.get(valueAt(key))]))
      const token = leader && view.get(leader)?.since
      const isFenced = fence !== undefined && fence.token !== token
      if (isFenced || !changes.every((change) => isExpected(change, found.get(change.key)))) {
        const entries = [...found].map(([key, row]) => [key, row && entryOf(row)] as const)
        return { committed: false, found: new Map(entries), token }
      }
      for (const { key, become } of changes) {
        if (become instanceof Uint8Array) stage.put(valueAt(key), { data: become })
        else if (become === 'absent' && found.get(key) !== undefined) stage.put(valueAt(key), undefined)
      }
      stage.put(mark, { number: BigInt(id.number) })
      return tookPlace(commit, revision)
    },
  }
}

/** What became of a commit; if it has not taken place by now, it never will. */
export function outcomeOf(commit: Commit): Change<CommitOutcome | 'never'> {
  const { id } = commit
  const mark = markAt(id)
  const session = sessionAt(id.session)
  return {
    writes: [mark],
    reads: [session],
    bytes: ROW_BYTES,
    decide(view, stage) {
      if (view.get(session) === undefined) throw lost('unknown')
      const last = view.get(mark)
      if (last !== undefined && last.number === BigInt(id.number)) return tookPlace(commit, last.at)
      if (last?.number !== VOID) stage.put(mark, { number: VOID })
      return 'never'
    },
  }
}

function clear(id: string, { small }: View, stage: Stage): void {
  for (const row of small) {
    const { kind, name, session } = row
    const isTheirs = kind === 'session' ? name === id : kind === 'mark' ? sessionOfMark(name) === id : session === id
    if (isTheirs) stage.put(row, undefined)
  }
}

function isExpected({ expect }: KeyChange, row: Row | undefined): boolean {
  if (expect === 'anything') return true
  if (expect === 'absent') return row === undefined
  if (expect === 'present') return row !== undefined
  return row !== undefined && String(row.at) === expect
}

function tookPlace({ changes }: Commit, revision: bigint): CommitOutcome {
  const written = changes.filter(({ become }) => become instanceof Uint8Array)
  return { committed: true, versions: new Map(written.map(({ key }) => [key, versionOf(String(revision))])) }
}

function bytesOf(changes: readonly KeyChange[]): number {
  let bytes = ROW_BYTES
  for (const { key, become } of changes) {
    // the key stands in its row and among what was changed
    bytes += ROW_BYTES + 2 * key.length + (become instanceof Uint8Array ? become.length : 0)
  }
  return bytes
}

function lost(effect: 'none' | 'unknown'): CoordinationError {
  return new CoordinationError('SESSION_LOST', 'the session is over', { backend: BACKEND, effect })
}

/** Whether one may write what the other looks at: they are made one after the other. */
export function conflict(a: Change<unknown>, b: Change<unknown>): boolean {
  // what is removed of one session belongs to no other
  if ((a.needsSmall === true) !== (b.needsSmall === true)) return true
  return meet(a.writes, b.writes) || meet(a.writes, b.reads) || meet(a.reads, b.writes)
}

function meet(some: readonly Place[], others: readonly Place[]): boolean {
  if (some.length === 0 || others.length === 0) return false
  const names = new Set(some.map(placeText))
  return others.some((place) => names.has(placeText(place)))
}
