/** A client's way to the servers: one TCP proxy per endpoint, its faults set together. */

/** Seen from the client. */
export type Direction = 'to-server' | 'to-client' | 'both'

export interface Link {
  /** What the client is told to connect to; as many as the harness has. Empty: the store has no network. */
  readonly endpoints: readonly string[]
  /** How many connections go through it now. */
  readonly connections: number
  /** How many were ever opened. */
  readonly opened: number
  /** Closes all connections with a reset, and refuses new ones until healed. */
  cut(): void
  /** Takes bytes and passes nothing on, without closing anything; they flow on when healed. */
  blackHole(direction: Direction): void
  /** Passes all on, each piece so much later (± jitter). Milliseconds. @param direction default: both. */
  delay(ms: number, jitterMs?: number, direction?: Direction): void
  /** Resets each connection with this chance per piece, drawn from the case's seed. */
  unreliable(chance: number): void
  /** Lets requests through and keeps replies back: `resetAll` then shows the client a write that got no reply. */
  holdReplies(): void
  /** Closes all connections with a reset and drops what was held; new ones work. */
  resetAll(): void
  /** Only the endpoint of this index: for endpoint lists with a dead member. */
  only(index: number): void
  /** Ends all faults. */
  heal(): void
  close(): Promise<void>
}
