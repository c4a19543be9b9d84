/**
 * What the replicated state machine promises, and what applying one log record yields. Everything here is a pure
 * function of the records: no clock, no randomness, no IO, nothing asynchronous.
 */
import type { Claimer } from '../command/claim.ts'
import type { Command, CommandResponse } from '../command/command.ts'
import type { FailureCode } from '../command/failure.ts'
import type { Commit } from '../mvcc/kv.ts'

/** Where the state stands in the log, and what the next valid record must look like. */
export interface LogPosition {
  /** Offset of the last applied record; -1 before the first. */
  readonly offset: number
  /** Number of the last valid claim; 0 before the first. Reported to clients as raft_term. */
  readonly epoch: number
  /** 16 bytes as a latin1 string: who made that claim. '' before the first. */
  readonly owner: string
  /** Sequence number of the last valid record of this epoch; 0 after the claim itself. */
  readonly seq: number
  /** Chain hash over all valid records so far (8 bytes as latin1 string). */
  readonly hash: string
  /** What the commands so far have come to, as 32 bits: equal on all replicas that have applied them alike. */
  readonly digest: number
}

export type Applied =
  /** A valid command: its answer or refusal, and what it changed (if anything). */
  | {
      readonly status: 'applied'
      readonly command: Command
      readonly response: CommandResponse
      readonly failure: undefined
      readonly commit: Commit | undefined
    }
  | {
      readonly status: 'applied'
      readonly command: Command
      readonly response: undefined
      readonly failure: FailureCode
      readonly commit: undefined
    }
  /** A valid claim: a new epoch has begun. */
  | { readonly status: 'claimed'; readonly epoch: number; readonly owner: string; readonly claimer: Claimer }
  /** A valid tick: nothing changed, but everything before it is known to be applied. */
  | { readonly status: 'ticked' }
  /** A record that every replica skips: a stale owner, a retried append that landed twice, a void claim. */
  | { readonly status: 'ignored'; readonly reason: 'stale-epoch' | 'duplicate' | 'void-claim' }
