/**
 * The seam to a copy of the state that outlives the process: it is told of each record that was applied, so that what
 * it makes durable is always the state after a whole record. The versions reach it another way, as the store's
 * `ValueStore`.
 */
import type { Claimer } from '../command/claim.ts'
import type { Command } from '../command/command.ts'
import type { ReplicatedState } from './execute.ts'
import type { LogPosition } from './state.ts'

/** The state with its place in the log. */
export interface PositionedState extends ReplicatedState {
  readonly position: LogPosition
  /** Who leads the epoch of the position; undefined before the first claim. */
  readonly claimer: Claimer | undefined
  readonly featureLevel: number
}

/** Called between two records; takes what it needs of `state` at once, and does not throw. */
export interface StateJournal {
  /** A whole state was loaded, from a snapshot: it takes the place of whatever was told before. */
  loaded(state: PositionedState): void
  /**
   * The record at `state.position` was applied.
   * @param command what changed the state; undefined if nothing did (a claim, a tick, a refusal, an ignored record)
   */
  applied(state: PositionedState, command: Command | undefined): void
}
