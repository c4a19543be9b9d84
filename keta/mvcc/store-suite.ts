/** What the tests of the store share: short ways to write and to describe what is read. */
import { keyFromText, rangeOf } from '../bytes/key.ts'
import type { Commit, Store, Version } from './kv.ts'

/** `name=value` puts, `-name` deletes, `-from..to` deletes a range. All changes are one request. */
export function write(store: Store, ...changes: readonly string[]): Commit | undefined {
  const txn = store.begin()
  for (const change of changes) {
    const [name, value] = change.split('=') as [string, string | undefined]
    if (value !== undefined) txn.put(keyFromText(name), Buffer.from(value), 0n)
    else {
      const [from, to] = name.slice(1).split('..') as [string, string | undefined]
      txn.deleteRange(rangeOf(keyFromText(from), keyFromText(to ?? '')))
    }
  }
  return txn.commit()
}

/** A version as `name=value@mod.sub`, a tombstone as `-name@mod.sub`. */
export function described(version: Version | undefined): string {
  if (version === undefined) return 'nothing'
  const position = `@${version.modRevision}.${version.sub}`
  if (version.version === 0) return `-${version.key}${position}`
  return `${version.key}=${Buffer.from(version.value()).toString()}${position}`
}

/** An event as `what ← what was before`. */
export function describedEvents(commits: readonly (Commit | undefined)[]): string[] {
  return commits.flatMap((commit) =>
    commit === undefined
      ? []
      : commit.events.map((event) => `${described(event.version)} ← ${described(event.previous)}`),
  )
}

/** Compacts and gives all memory back. */
export function compactFully(store: Store, revision: number): void {
  const problem = store.compact(revision)
  if (problem !== undefined) throw new Error(`compaction at ${revision} refused: ${problem}`)
  while (!store.scrub(1000));
}
