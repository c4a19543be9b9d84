/**
 * The session: the one thing that the store can see die. KIP-30 has none, so its four clients could lose theirs one by
 * one; here a PluginLocator has exactly one, and memberships and leaderships hang on it together.
 */

export type SessionState =
  /** The last renewal succeeded. */
  | 'connected'
  /** No contact. The lease may still hold: do not act on it, do not give it up. */
  | 'suspended'
  /** The lease is over, by our clock or by the store's word. Memberships and leaderships are gone. */
  | 'lost'
  | 'closed'

export interface Session {
  /** Never used twice. */
  readonly id: string
  readonly state: SessionState
  /** What the store granted, milliseconds. */
  readonly ttlMs: number
  /**
   * The value of `clock.now()` up to which the lease surely holds; see {@link leaseDeadline}.
   * Compare at the moment of acting: a timer may be late, this cannot.
   */
  readonly deadline: number
  addListener(listener: SessionListener): void
  removeListener(listener: SessionListener): void
}

/**
 * In this order only: suspended → (resumed | lost → reestablished)*. Before `onLost` the signals of all memberships and
 * leaderships of the session have aborted; and all of it before the store can give any of them to another.
 */
export interface SessionListener {
  onSuspended?(): void
  onResumed?(): void
  onLost?(): void
  /** `session` has a new id; memberships with autoRejoin and candidacies are on their way back. */
  onReestablished?(session: Session): void
}

/** Why a membership or a leadership ended. */
export type LossReason =
  /** By `leave`, `resign` or `withdraw`. */
  | 'resigned'
  /** The store says that the session is over. */
  | 'session-lost'
  /** No renewal was acknowledged in time; the store may still show us. */
  | 'deadline'
  /** The record was deleted or taken over while the session lived. */
  | 'evicted'
  /** By `close` or `shutdown`. */
  | 'closed'

/** How far apart the two clocks may run in one ttl: the store's slow ticks against our fast ones. */
export const CLOCK_RATE_ERROR = 0.01

/** One acknowledged renewal. Milliseconds all. */
export interface Renewal {
  /** `clock.now()` just before the request was sent. Never when the reply came: the store counts from some moment
   * between the two, and nobody knows which. */
  readonly sentAt: number
  /** As granted by the store. */
  readonly ttlMs: number
  /** `capabilities.session.granularityMs`: how much too early the store may end a lease. */
  readonly granularityMs: number
  /** What else the backend must fear, such as the skew between servers whose clocks decide. Default 0. */
  readonly skewMs?: number
}

/**
 * The rule that makes "loss is told before another can win" true: send time + ttl − margin, with a margin for the
 * store's granularity, for servers' skew, and 1 % of the ttl for the rate of clocks. What remains – a stall between
 * looking at the clock and acting – only a fencing token covers.
 */
export function leaseDeadline({ sentAt, ttlMs, granularityMs, skewMs = 0 }: Renewal): number {
  return sentAt + ttlMs * (1 - CLOCK_RATE_ERROR) - granularityMs - skewMs
}
