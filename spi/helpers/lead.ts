/** Leading as one call: run something for as long as, and only while, this process is leader. */
import { isCoordinationError } from '../errors.ts'
import type { LeaderElectionClient, Leadership, NominateOptions } from '../leader-election.ts'

/**
 * Nominates `candidate`, waits for its turn, runs `body`, and gives leadership and candidacy up once `body` has
 * settled – never before: who stops leading while its duties still run has made two leaders.
 *
 * @param body gets the term, and a signal that aborts when the term is over or `options.signal` aborts: pass it to
 * everything. After it, finish soon; what `body` returns or throws is what `lead` gives.
 * @param options `signal` also ends the waiting; `timeoutMs` is of each call to the store, the waiting has none.
 * @throws what nominate, `body`, or the giving up throws; `signal.reason` if aborted before the election. If giving up
 * fails the candidate may still run: call `withdraw` again.
 */
export async function lead<T>(
  client: LeaderElectionClient,
  candidate: string,
  body: (leadership: Leadership, signal: AbortSignal) => Promise<T>,
  options: NominateOptions = {},
): Promise<T> {
  const { signal, timeoutMs } = options
  // not with the caller's signal: giving up is what must still work after it has aborted
  const giveUp = () => client.withdraw(candidate, timeoutMs === undefined ? {} : { timeoutMs })
  try {
    await client.nominate(candidate, options)
  } catch (error) {
    // a candidacy that was certainly not begun may be somebody else's (CANDIDATE_EXISTS): leave it alone
    if (isCoordinationError(error) && error.effect === 'unknown') await afterFailure(giveUp)
    throw error
  }
  let result: T
  try {
    const leadership = await client.awaitLeadership(candidate, signal === undefined ? {} : { signal })
    const ends = signal === undefined ? leadership.signal : AbortSignal.any([leadership.signal, signal])
    result = await body(leadership, ends)
  } catch (error) {
    await afterFailure(giveUp)
    throw error
  }
  await giveUp()
  return result
}

/** The first failure is the one to report; the lease's end finishes what this could not. */
async function afterFailure(giveUp: () => Promise<void>): Promise<void> {
  try {
    await giveUp()
  } catch {
    return
  }
}
