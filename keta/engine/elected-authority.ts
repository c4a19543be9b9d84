/**
 * The node of a cluster: leads when it was elected; otherwise it has writes answered by the leader and asks it how far
 * the state must be for a linearizable read.
 */
import { RequestFailure } from '../command/failure.ts'
import { PeerError, type PeerLink, type PeerResponse } from '../cluster/peers.ts'
import { ForwardedRefusal, type ForwardedAnswer, type Member, type RoutedRequest } from './api.ts'
import type { Authority } from './authority.ts'
import { Leadership, type LeadershipPorts } from './leadership.ts'
import { REQUEST_TIMEOUT_MS } from './proposer.ts'
import type { Reign } from './reign.ts'
import { SharedRounds } from './shared-rounds.ts'
import { Stalls } from './stalls.ts'
import { settlesWithin } from './sleep.ts'

/** Who was asked: this node itself in its reign, or another one. */
interface Tried {
  readonly reign: Reign | undefined
  readonly link: PeerLink | undefined
  /** How often something was tried before. */
  readonly attempt: number
}

/**
 * Before the same leader is asked again that could not answer; a new leader is asked at once. Short at first: whoever
 * has read the claim of a new leader before that one itself has not long to wait.
 */
const RETRY_MS = { first: 5, longest: 50 }

/** A leader that has not answered a write for so long is not sent more of them. */
const STALLED_MS = 300

/** A leader that has not said within this time how far to read is asked anew, or its successor is. */
const READ_INDEX_MS = 1_000

export class ElectedAuthority implements Authority {
  readonly #leaderListeners = new Set<() => void>()
  readonly #stalls: Stalls
  readonly leadership: Leadership
  readonly #ports: Omit<LeadershipPorts, 'onChange'>
  readonly #readRounds = new SharedRounds(() => this.#readIndexRound())
  #stopped = false

  constructor(ports: Omit<LeadershipPorts, 'onChange'>) {
    this.#ports = ports
    this.#stalls = new Stalls(STALLED_MS, () => ports.clock.now())
    this.leadership = new Leadership({
      ...ports,
      onChange: () => {
        for (const listener of [...this.#leaderListeners]) listener()
      },
    })
  }

  get reign(): Reign | undefined {
    return this.leadership.reign
  }

  get leaderId(): bigint {
    return this.leadership.leader?.memberId ?? 0n
  }

  get members(): readonly Member[] {
    return this.leadership.members.map(({ memberId, name, clientUrls }) => ({
      id: memberId,
      name,
      peerUrls: [],
      clientUrls,
      isLearner: false,
    }))
  }

  onLeaderChange(listener: () => void): () => void {
    this.#leaderListeners.add(listener)
    return () => this.#leaderListeners.delete(listener)
  }

  join(): void {
    this.leadership.join()
  }

  linearize(): Promise<void> | undefined {
    const { reign } = this
    if (reign === undefined) return this.#readRounds.join()
    return reign.barrier()?.catch((error: unknown) => {
      if (isNotLeader(error)) return this.#readRounds.join()
      throw error
    })
  }

  route(
    request: RoutedRequest,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array | ForwardedAnswer> {
    return this.#route(request, local)
  }

  takeOver(epoch: number): boolean {
    return this.leadership.takeOver(epoch)
  }

  moveTo(memberId: bigint): Promise<void> {
    return this.leadership.moveTo(memberId)
  }

  resign(): Promise<void> {
    return this.leadership.resign()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.leadership.stop()
  }

  async #route(
    request: RoutedRequest,
    local: () => Uint8Array | Promise<Uint8Array>,
  ): Promise<Uint8Array | ForwardedAnswer> {
    const deadline = this.#ports.clock.now() + REQUEST_TIMEOUT_MS
    for (let attempt = 0; ; attempt++) {
      const { reign } = this
      if (reign !== undefined) {
        try {
          return await local()
        } catch (error) {
          if (!isNotLeader(error)) throw error
        }
      }
      const { link } = this.leadership
      const answer = link === undefined ? undefined : await this.#forward(link, request, deadline)
      if (answer !== undefined) return answer
      await this.#leaderOrRetry(deadline, { reign, link, attempt })
    }
  }

  /** Undefined if it is certain that the request has had no effect. */
  async #forward(link: PeerLink, request: RoutedRequest, deadline: number): Promise<ForwardedAnswer | undefined> {
    if (this.#stalls.isStalled(link)) return undefined
    let response: PeerResponse
    try {
      const { method, body } = request
      const forward = { kind: 'forward', method, body, metadata: request.metadata() } as const
      response = await this.#stalls.during(link, () => link.request(forward, this.#left(deadline)))
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      if (!error.sent) return undefined
      throw new RequestFailure('LEADER_LOST', { cause: error })
    }
    if (response.kind !== 'answer' && response.kind !== 'refusal') return undefined
    // Whoever then reads from this node finds its own write. If that takes too long, it was done all the same.
    await settlesWithin(this.#ports.clock, this.#left(deadline), this.#ports.replica.reached(response.appliedOffset))
    if (response.kind === 'refusal') throw new ForwardedRefusal(response.status, response.message)
    return { forwarded: response.body }
  }

  async #readIndexRound(): Promise<void> {
    const deadline = this.#ports.clock.now() + REQUEST_TIMEOUT_MS
    for (let attempt = 0; ; attempt++) {
      const { reign } = this
      const { link } = this.leadership
      if (await this.#isCurrent(deadline)) return
      await this.#leaderOrRetry(deadline, { reign, link, attempt })
    }
  }

  /** Whether the state has come to hold everything that was acknowledged before this call. */
  async #isCurrent(deadline: number): Promise<boolean> {
    const { clock, replica } = this.#ports
    const { link, reign } = this.leadership
    try {
      if (reign !== undefined) {
        await reign.barrier()
        return true
      }
      if (link === undefined) return false
      const response = await link.request({ kind: 'readIndex' }, Math.min(this.#left(deadline), READ_INDEX_MS))
      return (
        response.kind === 'readIndex' &&
        (await settlesWithin(clock, this.#left(deadline), replica.reached(response.offset)))
      )
    } catch (error) {
      if (isNotLeader(error) || error instanceof PeerError) return false
      throw error
    }
  }

  /**
   * @param tried what it has just failed with.
   * @throws RequestFailure NO_LEADER after the deadline, STOPPED
   */
  async #leaderOrRetry(deadline: number, tried: Tried): Promise<void> {
    if (this.#stopped) throw new RequestFailure('STOPPED')
    const left = this.#left(deadline)
    if (left <= 0) throw new RequestFailure('NO_LEADER')
    // The lead may have changed while the one that had it was asked: nothing more is going to change then.
    const { link } = this.leadership
    if (this.reign !== undefined && this.reign !== tried.reign) return
    if (this.reign === undefined && link !== undefined && link !== tried.link) return
    const mayRetry = link !== undefined || tried.reign !== undefined
    const wait = mayRetry ? Math.min(left, RETRY_MS.longest, RETRY_MS.first * 2 ** tried.attempt) : left
    await this.leadership.changedWithin(wait)
  }

  #left(deadline: number): number {
    return Math.max(0, deadline - this.#ports.clock.now())
  }
}

function isNotLeader(error: unknown): boolean {
  return error instanceof RequestFailure && error.code === 'NOT_LEADER'
}
