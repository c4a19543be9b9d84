/** How much one client may take of the server, and how much it may ask of it that does it no good. */
import { totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'
import { CONNECTION_RULES, type ConnectionRules } from '../transport.ts'

export interface Http2Limits extends ConnectionRules {
  /** Header block of a request: as it comes, and decoded as RFC 9113, 6.5.2 counts it. */
  readonly headerBytes: number
  /** CONTINUATION frames of one header block. */
  readonly continuations: number
  /** Of one connection: what was received and waits for the rest of its message, or for its handler. */
  readonly heldBytes: number
  /** Of one connection: answers that its client has not taken. Beyond it no further call is handled. */
  readonly backlogBytes: number
  /** Of all connections together: what is held for them (`Memory`). */
  readonly memoryBytes: number
  /** Until the client's first SETTINGS. */
  readonly settingsMs: number
}

export const HTTP2_LIMITS: Http2Limits = {
  ...CONNECTION_RULES,
  headerBytes: 64 * 1024,
  continuations: 64,
  heldBytes: 64 * 2 ** 20,
  backlogBytes: 16 * 2 ** 20,
  memoryBytes: Math.min(2 ** 30, availableBytes() / 4),
  settingsMs: 10_000,
}

/** Of the machine, or of the part of it that this process may use. */
function availableBytes(): number {
  const constrained = constrainedMemory()
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()
}
