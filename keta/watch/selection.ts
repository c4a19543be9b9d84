/**
 * Picks the events that an interest asked for, out of one commit (live) or many (catch-up).
 *
 * Equal lists are the same array: whoever encodes an answer can keep the encoding by the identity of its `events`,
 * and so encodes once what is sent to thousands of watchers.
 */
import { contains } from '../bytes/key.ts'
import type { Commit, Event } from '../mvcc/kv.ts'
import type { InterestIndex } from './interest-index.ts'
import type { WatchEvent } from './watch.ts'
import type { Interest } from './watcher.ts'
import { wants } from './watcher.ts'

export interface Selection {
  readonly interest: Interest
  readonly events: readonly WatchEvent[]
}

const NO_SELECTIONS: readonly Selection[] = []

/**
 * For every interest with synced watchers that `commit` touches, the events its watchers are to be given (never none).
 */
export function selectLive(commit: Commit, index: InterestIndex): readonly Selection[] {
  const positions = matchingPositions(commit, index)
  if (positions === undefined) return NO_SELECTIONS
  const selections: Selection[] = []
  const shared = new Map<string, readonly WatchEvent[]>()
  for (const [interest, matching] of positions) {
    const signature = (interest.prevKv ? 'p' : '') + matching.join()
    let events = shared.get(signature)
    if (events === undefined) {
      events = eventsAt(commit, matching, interest.prevKv)
      shared.set(signature, events)
    }
    selections.push({ interest, events })
  }
  return selections
}

/** The events of `commits` that the interest asked for, oldest first; possibly none. */
export function selectPast(commits: readonly Commit[], interest: Interest): readonly WatchEvent[] {
  const selected: WatchEvent[] = []
  for (const commit of commits) {
    for (const event of commit.events) {
      if (!contains(interest.range, event.version.key) || !wants(interest, event)) continue
      selected.push(watchEvent(commit, event, interest.prevKv))
    }
  }
  return selected
}

/** By interest, the positions in `commit.events` of what it asked for; undefined if nobody is interested. */
function matchingPositions(commit: Commit, index: InterestIndex): Map<Interest, number[]> | undefined {
  let positions: Map<Interest, number[]> | undefined
  const found: Interest[] = []
  for (const [position, event] of commit.events.entries()) {
    found.length = 0
    index.collect(event.version.key, found)
    for (const interest of found) {
      if (interest.synced.size === 0 || !wants(interest, event)) continue
      positions ??= new Map()
      const matching = positions.get(interest)
      if (matching === undefined) positions.set(interest, [position])
      else matching.push(position)
    }
  }
  return positions
}

function eventsAt(commit: Commit, positions: readonly number[], prevKv: boolean): readonly WatchEvent[] {
  const events: WatchEvent[] = []
  for (const position of positions) {
    const event = commit.events[position]
    if (event === undefined) throw new Error(`event ${position} of ${commit.events.length} does not exist`)
    events.push(watchEvent(commit, event, prevKv))
  }
  return events
}

function watchEvent(commit: Commit, event: Event, prevKv: boolean): WatchEvent {
  return { event, previous: prevKv ? versionBefore(commit, event) : undefined }
}

/**
 * The live version before the event's *revision*: that is etcd's prev_kv. It differs from what the event itself
 * replaced if the revision changed the key twice (nested transactions can put a key and then delete it).
 */
function versionBefore(commit: Commit, event: Event): Event['previous'] {
  const { previous } = event
  if (previous === undefined || previous.modRevision < commit.revision) return previous
  return commit.events.find((earlier) => earlier.version.key === event.version.key)?.previous
}
