/**
 * The leader epochs of a log, and where two logs part. The records of one epoch were written by one leader, so two logs
 * that have an epoch in common are equal up to the end of it in the shorter one (KIP-101; KIP-279 for fast fail-overs).
 */

/** The records from `start` on are of this epoch, up to the next one's start. */
export interface EpochStart {
  readonly epoch: number
  readonly start: number
}

export interface EpochEnd {
  readonly epoch: number
  /** The offset after its last record. */
  readonly end: number
}

/** Of a log that has nothing of that epoch or before. */
export const NO_EPOCH = -1

/** The last epoch not after `epoch`, and where it ends. @param epochs ascending. @param logEnd offset after the last. */
export function endOfEpoch(epochs: readonly EpochStart[], logEnd: number, epoch: number): EpochEnd {
  const at = epochs.findLastIndex((one) => one.epoch <= epoch)
  const found = epochs[at]
  if (found === undefined) return { epoch: NO_EPOCH, end: epochs[0]?.start ?? logEnd }
  return { epoch: found.epoch, end: epochs[at + 1]?.start ?? logEnd }
}

export interface Truncation {
  /** The log may keep what is before this offset. */
  readonly to: number
  /** Ask the leader about this epoch next; undefined: what is left is a prefix of the leader's log. */
  readonly askNext: number | undefined
}

/** One step of a follower's search, with the leader's answer about the follower's latest epoch that is still in doubt. */
export function truncationStep(epochs: readonly EpochStart[], logEnd: number, leader: EpochEnd): Truncation {
  if (leader.epoch === NO_EPOCH) return { to: Math.min(leader.end, logEnd), askNext: undefined }
  const own = endOfEpoch(epochs, logEnd, leader.epoch)
  if (own.epoch === leader.epoch) return { to: Math.min(own.end, leader.end), askNext: undefined }
  // the leader has an epoch that is missing here: all after the one before it is not the leader's
  return { to: own.end, askNext: own.epoch === NO_EPOCH ? undefined : own.epoch }
}
