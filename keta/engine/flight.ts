/**
 * A batch on its way into the log, until it is known what became of it: it *landed* (every record was applied) or is
 * *void* (a later claim was applied before it: it never will be). Its records may be applied right after the
 * acknowledgement, or later and one by one as the log is read back; whoever waits for them does not see the difference.
 */
import { type FailureCode, RequestFailure } from '../command/failure.ts'
import type { Applied } from '../state/state.ts'
import { type Proposal, refuse, succeed } from './proposer.ts'

export class Flight {
  /** Resolves when the fate of all records is known. */
  readonly over: Promise<'landed' | 'void'>
  readonly #batch: readonly Proposal[]
  readonly #firstSeq: number
  readonly #lastSeq: number
  #end: (fate: 'landed' | 'void') => void = () => undefined

  /** An empty batch is one record that nobody waits for. */
  constructor(batch: readonly Proposal[], firstSeq: number) {
    this.#batch = batch
    this.#firstSeq = firstSeq
    this.#lastSeq = firstSeq + Math.max(batch.length, 1) - 1
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /**
   * The record with this number has been applied, `revision` is the one after it.
   * @param hadRoom whether the space quota allowed for it.
   */
  applied(seq: number, applied: Applied, revision: number, hadRoom: boolean): void {
    const proposal = this.#batch[seq - this.#firstSeq]
    if (proposal !== undefined && applied.status === 'applied') {
      if (applied.failure !== undefined) refuse(proposal, new RequestFailure(applied.failure))
      // As in etcd: the write that crosses the quota is kept, and its client is told that there is no more room.
      else if (!hadRoom) refuse(proposal, new RequestFailure('NO_SPACE'))
      else succeed(proposal, { response: applied.response, revision })
    }
    if (seq === this.#lastSeq) this.#end('landed')
  }

  /** None of its records will ever be valid: their requests have had no effect. */
  void(): void {
    this.#refuseAll('NOT_LEADER')
  }

  /** Nobody waits for its fate any longer. */
  abandon(): void {
    this.#refuseAll('TIMEOUT')
  }

  #refuseAll(code: FailureCode): void {
    for (const proposal of this.#batch) refuse(proposal, new RequestFailure(code))
    this.#end('void')
  }
}
