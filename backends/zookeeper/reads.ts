/** Reads of the driver's own session, in the two consistencies, and the barriers that linearizable ones stand on. */
import { type Clock, CoordinationError, type PluginContext } from '../../spi/index.ts'
import { reasonOf } from '../../spi/helpers/backoff.ts'
import { deferred } from '../shared/deferred.ts'
import type { Call, ReadCall } from '../shared/driver.ts'
import { onAbort } from '../shared/on-abort.ts'
import type { Answer, ZkClient } from './connection/client.ts'
import { BACKEND, errorOf } from './connection/errors.ts'
import { ANY_VERSION, ERR } from './protocol/codes.ts'
import { check, type Look, multi, multiRead, type MultiOutcome, type Seen, type Part } from './protocol/multi.ts'
import { exists, type Node, type Operation } from './protocol/operations.ts'

/** The newest transaction that an answer to any of this driver's sessions has shown. */
export class Newest {
  zxid = 0n

  readonly saw = (zxid: bigint): void => {
    if (zxid > this.zxid) this.zxid = zxid
  }
}

/** Whom requests are sent to. */
export type Asked = Pick<ZkClient, 'send'>

type ReadsContext = Pick<PluginContext, 'clock' | 'sessionTimeoutMs'>

export class Reads {
  readonly client: Asked
  readonly #root: string
  readonly #newest: Newest
  /** The longest that a barrier which several wait for may take, milliseconds. */
  readonly #barrierMs: number
  readonly #clock: Clock
  #underWay: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(client: Asked, root: string, newest: Newest, { clock, sessionTimeoutMs }: ReadsContext) {
    this.client = client
    this.#root = root
    this.#newest = newest
    this.#barrierMs = sessionTimeoutMs
    this.#clock = clock
  }

  /**
   * Resolves when the server that we are connected to has caught up with everything that was done before the call. All
   * that come while one is under way share the next.
   * @throws CoordinationError with effect `none`
   */
  async barrier(call: Call): Promise<void> {
    this.#next ??= this.#startNext()
    const next = this.#next
    const given = deferred<never>()
    using _aborted = onAbort(call.signal, () => given.reject(reasonOf(call.signal)))
    using _late = this.#clock.setTimeout(() => given.reject(lateError(call.timeoutMs)), call.timeoutMs)
    await Promise.race([next, given.promise])
  }

  /** Of the server that we are connected to, after all that this session has seen. */
  ask<T>(operation: Operation<T>, call: Call): Promise<Answer<T>> {
    return this.client.send(operation, call)
  }

  async read<T>(operation: Operation<T>, call: ReadCall): Promise<Answer<T>> {
    if (call.consistency === 'sequential') {
      const newest = this.#newest.zxid
      // both go to the same server, in this order: what the first one's answer knew, the second one's shows
      const [before, answer] = await Promise.all([this.ask(exists(this.#root), call), this.ask(operation, call)])
      if (before.zxid >= newest) return answer
    }
    await this.barrier(call)
    return this.ask(operation, call)
  }

  async #startNext(): Promise<void> {
    await this.#underWay
    this.#next = undefined
    const signal = new AbortController().signal
    const barrier = agree(this.client, this.#root, { signal, timeoutMs: this.#barrierMs })
    this.#underWay = barrier.then(
      () => undefined,
      () => undefined,
    )
    await barrier
  }
}

function lateError(timeoutMs: number): CoordinationError {
  const message = `the servers have not agreed within ${Math.round(timeoutMs)} ms`
  return new CoordinationError('TIMEOUT', message, { backend: BACKEND, effect: 'none' })
}

/** The leader and a majority have agreed on it, and so on all before it; changes nothing. @throws CoordinationError */
export async function agree(client: Asked, root: string, call: Call): Promise<void> {
  const answer = await client.send({ ...multi([check(root, ANY_VERSION)]), writes: false }, call)
  outcomeOf(answer)
}

/** What is wrong with it is one of those that say what was found. @throws CoordinationError */
export async function transact(client: Asked, parts: readonly Part[], call: Call): Promise<MultiOutcome> {
  return outcomeOf(await client.send(multi(parts), call))
}

function outcomeOf(answer: Answer<MultiOutcome>): MultiOutcome {
  if (!answer.ok) return { done: false, error: answer.error, at: 0 }
  const thrown = answer.value.done ? undefined : errorOf(answer.value.error)
  if (thrown !== undefined) throw thrown
  return answer.value
}

export function lookAt(paths: readonly string[]): Operation<readonly Seen[]> {
  return multiRead(paths.map((data) => ({ data }) satisfies Look))
}

/** What is at a path; undefined: nothing. @throws CoordinationError if it could not be looked at. */
export function nodeOf(seen: Seen | undefined): Node | undefined {
  if (typeof seen === 'object' && 'stat' in seen) return seen
  const thrown = typeof seen === 'number' ? errorOf(seen) : undefined
  if (thrown !== undefined) throw thrown
  return undefined
}

/** Of one read by itself. */
export function found<T>(answer: Answer<T>): T | undefined {
  if (answer.ok) return answer.value
  if (answer.error === ERR.NO_NODE) return undefined
  throw errorOf(answer.error) ?? new Error(`unexpected error ${answer.error}`)
}
