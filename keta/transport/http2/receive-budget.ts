/**
 * What a connection may have in memory of messages that have not come to their end. A message that does not fit into
 * its stream's window is let in only while there is room; the others wait their turn.
 */
import type { Share } from './memory.ts'

export class ReceiveBudget {
  #free: number
  #held = 0
  readonly #bytes: number
  readonly #share: Share
  readonly #waiting = new Set<Reservation>()

  constructor(bytes: number, share: Share) {
    this.#free = bytes
    this.#bytes = bytes
    this.#share = share
  }

  /** What was received and not dealt with has grown by `bytes`, or shrunk. False: it is too much. */
  hold(bytes: number): boolean {
    this.#held += bytes
    this.#share.add(bytes)
    return this.#held <= 2 * this.#bytes
  }

  /** Calls `granted` as soon as there is room: now or later. It asks for less than all there is. */
  reserve(reservation: Reservation): void {
    this.#waiting.add(reservation)
    this.#grant()
  }

  /** Nothing is wanted any more of a reservation that may not have been granted yet. */
  withdraw(reservation: Reservation): void {
    if (this.#waiting.delete(reservation)) this.#grant()
  }

  /** Gives back what was granted. */
  release(bytes: number): void {
    this.#free += bytes
    this.#grant()
  }

  /** The oldest first: a large one is not passed over for ever. One at a time if memory is short. */
  #grant(): void {
    for (const reservation of this.#waiting) {
      if (reservation.bytes > this.#free) return
      if (this.#free < this.#bytes && this.#share.isTight) return
      this.#waiting.delete(reservation)
      this.#free -= reservation.bytes
      reservation.granted()
    }
  }
}

export interface Reservation {
  readonly bytes: number
  granted(): void
}
