/** What a link tells of its work, for metrics. An observer only counts, and does not throw. */

export interface LinkObserver {
  /** A connection was established. */
  connected(): void
  /** It has ended, whoever ended it. */
  disconnected(): void
  sent(bytes: number): void
  received(bytes: number): void
  /** The other node has answered a ping. */
  roundTrip(tookMs: number): void
  /** A request has no answer. */
  failed(): void
}

/** Sees nothing. */
export const NO_LINK_OBSERVER: LinkObserver = {
  connected: () => undefined,
  disconnected: () => undefined,
  sent: () => undefined,
  received: () => undefined,
  roundTrip: () => undefined,
  failed: () => undefined,
}
