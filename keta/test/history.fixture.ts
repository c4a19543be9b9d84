/** The history of a store, as a watch over everything tells it. */
import { type Event, Event_EventType } from '../proto/gen/mvccpb/kv_pb.js'
import type { ApiClient } from './api-client.fixture.ts'
import { versionOf } from './replayed-store.fixture.ts'
import { ALL, WatchReader } from './watch-reader.fixture.ts'
import type { HistoryCommit } from './write-ledger.fixture.ts'

/** The revisions from `first` to `last`. */
export async function readHistory(client: ApiClient, first: number, last: number): Promise<readonly HistoryCommit[]> {
  if (last < first) return []
  const watch = WatchReader.on(client)
  watch.create({ ...ALL, startRevision: BigInt(first) })
  await watch.until(`event of revision ${last}`, () => Number(watch.events.at(-1)?.kv?.modRevision ?? 0) >= last)
  watch.close()
  return commitsOf(watch.events)
}

/** Events in their order, by revision. @throws if an event does not say the same in both its ways */
export function commitsOf(events: readonly Event[]): readonly HistoryCommit[] {
  const commits: { revision: number; versions: ReturnType<typeof versionOf>[] }[] = []
  for (const { kv, type } of events) {
    const revision = Number(kv?.modRevision)
    let last = commits.at(-1)
    if (last?.revision !== revision) commits.push((last = { revision, versions: [] }))
    const version = versionOf(kv, last.versions.length)
    if ((type === Event_EventType.DELETE) !== (version.version === 0)) {
      throw new Error(`an event of type ${type} of ${version.key}, version ${version.version}`)
    }
    last.versions.push(version)
  }
  return commits
}
