/** The name that was probably meant. */

/** The known name with the fewest typing errors between, if they are few for its length; else undefined. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Math.floor(name.length / 3) + 1
  for (const candidate of known) {
    const errors = distance(name.toLowerCase(), candidate.toLowerCase(), fewest)
    if (errors < fewest) {
      best = candidate
      fewest = errors
    }
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours from a to b; `limit` if there are so many or more. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (last[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const deleted = (last[column] ?? 0) + 1
      const inserted = (current[column - 1] ?? 0) + 1
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Infinity
      current.push(Math.min(replaced, deleted, inserted, swapped))
    }
    beforeLast = last
    last = current
  }
  return Math.min(limit, last[b.length] ?? 0)
}
