/** Reads of the keys at a revision. */
import { EMPTY_KEY, type Key, type KeyRange } from '../bytes/key.ts'
import type { RangeResult } from './kv.ts'
import type { StoreParts } from './parts.ts'
import type { StoredVersion } from './stored-version.ts'

const NUL = 0

export function getAt(parts: StoreParts, key: Key, atRevision: number): StoredVersion | undefined {
  return parts.index.get(key)?.liveAt(atRevision)
}

/**
 * See `ReadView.range`.
 * @param current the newest revision that has changes: of the committed store, or of the open write that has made some
 */
export function rangeAt(
  parts: StoreParts,
  current: number,
  range: KeyRange,
  atRevision: number,
  limit: number,
  countOnly: boolean,
): RangeResult {
  const versions: StoredVersion[] = []
  if (isSingleKey(range)) {
    const version = getAt(parts, range.start, atRevision)
    if (version === undefined) return { versions, count: 0 }
    if (!countOnly) versions.push(version)
    return { versions, count: 1 }
  }
  const wanted = countOnly ? 0 : limit > 0 ? limit : Number.POSITIVE_INFINITY
  if (wanted === 0 && isEverything(range) && atRevision === current) return { versions, count: parts.keyCount }
  let count = 0
  parts.index.scan(range.start, range.end, (history) => {
    const version = history.liveAt(atRevision)
    if (version === undefined) return true
    count++
    if (versions.length < wanted) versions.push(version)
    return true
  })
  return { versions, count }
}

/** The form that `rangeOf` gives to a single key, by far the most frequent range: found without a scan. */
function isSingleKey({ start, end }: KeyRange): boolean {
  if (end === null || end.length !== start.length + 1) return false
  return end.charCodeAt(start.length) === NUL && end.startsWith(start)
}

/** No stored key is empty, so "from the first non-empty key on" is everything too. */
function isEverything({ start, end }: KeyRange): boolean {
  return end === null && (start === EMPTY_KEY || start === '\0')
}
