/** Seats: taken, amended and emptied in the one order of all changes, and read behind what may still be on its way. */
import type { SeatStore } from '../shared/driver.ts'
import { amendSeat, emptySeat, takeSeat } from './change.ts'
import type { Committer } from './committer.ts'
import type { Reader } from './reader.ts'

export function seatsOf(committer: Committer, reader: Reader): SeatStore {
  return {
    takeSeat: (seat, holder, call) => committer.submit(takeSeat(seat, holder), call),
    amendSeat: (seat, token, data, call) => committer.submit(amendSeat(seat, token, data), call),
    emptySeat: (seat, token, call) => committer.submit(emptySeat(seat, token), call),
    async readSeat(seat, call) {
      // who asks may have tried to take the seat, and must not find itself there later
      await committer.settle(call)
      return reader.readSeat(seat, call)
    },
    readGroup: (group, call) => reader.readGroup(group, call),
  }
}
