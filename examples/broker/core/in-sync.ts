/** What a partition's leader decides from how far its followers have come. */

/** A follower, as the leader sees it. */
export interface Progress {
  /** Everything before this offset is in its log. */
  readonly endOffset: number
  /** When it last had everything that the leader had. Milliseconds of the leader's clock. */
  readonly caughtUpAt: number
}

/** Of a fetch that asks for `offset`: the follower has all before it. */
export function afterFetch(
  before: Progress & { readonly fetchedAt?: number; readonly leaderEndThen?: number },
  fetch: { readonly offset: number; readonly leaderEnd: number; readonly now: number },
): Progress & { readonly fetchedAt: number; readonly leaderEndThen: number } {
  const { offset, leaderEnd, now } = fetch
  const hadAllThen = before.leaderEndThen !== undefined && offset >= before.leaderEndThen
  const then = hadAllThen ? (before.fetchedAt ?? before.caughtUpAt) : before.caughtUpAt
  const caughtUpAt = offset >= leaderEnd ? now : Math.max(before.caughtUpAt, then)
  return { endOffset: offset, caughtUpAt, fetchedAt: now, leaderEndThen: leaderEnd }
}

export interface Leading {
  readonly me: number
  /** As the store has it, for all that is known. */
  readonly isr: readonly number[]
  /** Sets that were written without a clear answer: they may be what the store has. */
  readonly unsettled: readonly (readonly number[])[]
  readonly endOffset: number
  /** Where this leader's own records begin. */
  readonly epochStart: number
  readonly highWatermark: number
  readonly followers: ReadonlyMap<number, Progress>
}

/**
 * How far a record is safe: in the logs of all that may be in sync. A follower that is being taken in counts from the
 * moment of the writing, one that is being dropped until the store has said so – else a leader could be elected that
 * does not have what was acknowledged. It never goes back.
 */
export function highWatermark(leading: Leading): number {
  const { me, isr, unsettled, endOffset, followers } = leading
  const ids = new Set([...isr, ...unsettled.flat()])
  const ends = [...ids].map((id) => (id === me ? endOffset : (followers.get(id)?.endOffset ?? 0)))
  return Math.max(leading.highWatermark, Math.min(endOffset, ...ends))
}

/** The set without those who are behind for too long, or gone; undefined if there are none. */
export function shrunkIsr(
  { me, isr, followers }: Pick<Leading, 'me' | 'isr' | 'followers'>,
  { now, maxLagMs, live }: { readonly now: number; readonly maxLagMs: number; readonly live: ReadonlySet<number> },
): readonly number[] | undefined {
  const left = isr.filter((id) => {
    if (id === me) return true
    return live.has(id) && now - (followers.get(id)?.caughtUpAt ?? -Infinity) <= maxLagMs
  })
  return left.length < isr.length ? left : undefined
}

export interface Joinable {
  readonly replicas: readonly number[]
  /** Those of them that go, when all others are in sync. */
  readonly removing: readonly number[]
  readonly live: ReadonlySet<number>
}

/**
 * The set with all replicas that have come so far: they have what is acknowledged, and what predecessors of this leader
 * may have acknowledged without telling it.
 */
export function grownIsr(
  { isr, epochStart, highWatermark: mark, followers }: Leading,
  { replicas, removing, live }: Joinable,
): readonly number[] | undefined {
  const staying = replicas.filter((id) => !removing.includes(id))
  // a controller is about to let the others go, or has just done so: they must not come back
  const isMoved = removing.length > 0 && staying.every((id) => isr.includes(id))
  const come = (isMoved ? [] : replicas).filter((id) => {
    const end = followers.get(id)?.endOffset ?? -1
    return !isr.includes(id) && live.has(id) && end >= mark && end >= epochStart
  })
  return come.length > 0 ? [...isr, ...come] : undefined
}
