/**
 * The coordination port: who the nodes of a cluster are, and which of them should lead. It is about liveness only. Who
 * does lead is decided by the claims in the log, whatever this port says and however late: two nodes may be told to
 * lead at once, or none. Adapters: `kafka/group-coordinator.ts` (Kafka's group protocol), and the simulation's.
 */

/** What a node tells the others about itself when it joins. */
export interface MemberInfo {
  readonly memberId: bigint
  readonly name: string
  /** Where clients and the other nodes reach it; never empty. */
  readonly clientUrls: readonly string[]
  /** Whether it may be told to lead. */
  readonly eligible: boolean
  /** The newest epoch that it has led, as the log has it; 0 if none. */
  readonly ledEpoch: number
  /** Offset of the last record that it has applied; -1 before the first. */
  readonly appliedOffset: number
  /** Milliseconds of the wall clock at its start. It only tells which of two members with one URL came second. */
  readonly startedAt: number
}

/** The outcome of one round of joining; all members of a generation get the same one. */
export interface Assignment {
  /** Grows while the group lives, and begins anew when it was empty: it says nothing about epochs. */
  readonly generation: number
  /** Who should lead; undefined if nobody is eligible. */
  readonly leader: bigint | undefined
  /** Ordered by memberId. Without those that are `refused`. */
  readonly members: readonly MemberInfo[]
  /** Members that must not go on, because an older member has the same URL (or the same id). */
  readonly refused: readonly RefusedMember[]
}

export interface RefusedMember {
  readonly memberId: bigint
  readonly startedAt: number
  /** What they have in common, for the error message: the URL, or the member id. */
  readonly conflict: string
}

export interface CoordinatorPorts {
  /** This node, as it is at the moment. */
  readonly self: () => MemberInfo
  /** Called for every new generation that this node is part of. */
  readonly onAssignment: (assignment: Assignment) => void
  /** What cannot be mended by trying again: wrong credentials, no permission for the group. */
  readonly onFailure: (error: Error) => void
}

export interface Coordinator {
  /** Joins, and joins again whenever membership is lost, until `leave`. Called once. */
  join(ports: CoordinatorPorts): void
  /** `self` has changed in what the others should know (`ledEpoch`, `eligible`): brings about a new generation. */
  announce(): void
  /**
   * This node believes that the other is dead or stands still: takes it out of the group, so that a new generation
   * forms without waiting for its session to end. It may be wrong: a living member joins again. Never rejects.
   */
  expel(memberId: bigint): Promise<void>
  /** Leaves at once, so that the others need not wait for the session to end. Idempotent; never rejects. */
  leave(): Promise<void>
}
