/** What a claim to a seat needs of the service that makes it, and tells it. */
import type { ErrorCode, LossReason } from '../../spi/index.ts'
import type { Seat, Seated } from './driver.ts'
import type { Kernel } from './kernel.ts'
import type { SeatWatch } from './seat-watch.ts'
import type { Term } from './term.ts'

/** A claim, by its identity. */
export interface Claim {
  readonly id: string
}

export interface ClaimOptions {
  readonly kernel: Kernel
  readonly watch: SeatWatch
  readonly seat: Seat
  /** Of the seat in the follow. */
  readonly name: string
  readonly id: string
  readonly data: Uint8Array
  /** Seeks again after a loss. */
  readonly returns: boolean
  /** Whether to evict this holder; asked until there is a finding. */
  readonly evicts: (holder: Seated) => boolean
  /** Of the errors that say that it is over. */
  readonly code: ErrorCode
  readonly host: ClaimHost
}

/** Who is told. Both are called in the context of what caused them, and resolve when all listeners are through. */
export interface ClaimHost {
  seated(claim: Claim, term: Term, first: boolean): Promise<void>
  lost(claim: Claim, term: Term, reason: LossReason): Promise<void>
  /** Nothing of it is left, here or in the store. */
  ended(claim: Claim): void
}

/** What the first look at the seat has shown. */
export type Finding = { readonly term: Term; readonly told: Promise<void> } | { readonly holder: Seated }
