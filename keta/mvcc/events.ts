/** Changes as watchers see them: live, and read back from the past. */
import type { Commit, Event } from './kv.ts'
import type { StoreParts } from './parts.ts'
import type { StoredVersion } from './stored-version.ts'

/**
 * The event that wrote `version`. As in etcd (server/etcdserver/api/v3rpc/watch.go), `previous` is the state of the
 * key at the revision before, so neither change of a key that is changed twice in one revision sees the other; a put
 * that created the key has none, and none is given if the revision before is compacted.
 */
export function eventOf(version: StoredVersion, compactRevision: number): Event {
  const before = version.modRevision - 1
  if (version.createRevision === version.modRevision || before < compactRevision)
    return { version, previous: undefined }
  const previous = version.history.at(before)
  return { version, previous: previous === undefined || previous.isTombstone ? undefined : previous }
}

/** See `History.commits`. */
export function commitsFrom(
  { sequence, revision, compactRevision }: StoreParts,
  fromRevision: number,
  maxRevisions: number,
  maxBytes: number,
): readonly Commit[] {
  if (fromRevision < compactRevision) {
    throw new Error(`history asked from revision ${fromRevision}, compacted at ${compactRevision}`)
  }
  const commits: Commit[] = []
  let events: Event[] = []
  let current = 0
  let bytes = 0
  sequence.scan(fromRevision, 0, (version) => {
    // Changes of an open write are in the sequence already, with a revision that nobody may see.
    if (version.modRevision > revision) return false
    if (version.modRevision !== current) {
      if (commits.length >= maxRevisions || (commits.length > 0 && bytes > maxBytes)) return false
      current = version.modRevision
      events = []
    }
    // Only at the compacted revision itself can a change be gone: what a later change of the same revision replaced.
    if (current === compactRevision && !version.survives(compactRevision)) return true
    if (events.length === 0) commits.push({ revision: current, events })
    events.push(eventOf(version, compactRevision))
    bytes += version.encodedLength
    return true
  })
  return commits
}
