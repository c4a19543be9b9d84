/**
 * By what right a node answers: because its log is its own (`sole-authority.ts`), or because it was elected, or by
 * asking whoever was (`elected-authority.ts`).
 */
import type { ForwardedAnswer, Member, RoutedRequest } from './api.ts'
import type { Reign } from './reign.ts'

export interface Authority {
  /** Present while this node leads. */
  readonly reign: Reign | undefined
  /** 0n if nobody is known to lead. */
  readonly leaderId: bigint
  /** Calls back when `leaderId` may have changed. @returns the end of the subscription */
  onLeaderChange(listener: () => void): () => void
  readonly members: readonly Member[]
  /**
   * For a linearizable read: undefined if the state may be read now, in this turn; otherwise what to wait for.
   * The promise rejects with RequestFailure NO_LEADER or TIMEOUT.
   */
  linearize(): Promise<void> | undefined
  /** Takes part from now on: clients can reach this node. */
  join(): void
  /** See Engine.route. */
  route(
    request: RoutedRequest,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array | ForwardedAnswer>
  /** See Engine.takeOver, Engine.moveLeader. */
  takeOver(epoch: number): boolean
  moveTo(memberId: bigint): Promise<void>
  /** Lets another node lead, if there is one. Never rejects. */
  resign(): Promise<void>
  /** Answers what is in flight, refuses the rest. */
  stop(): Promise<void>
}
