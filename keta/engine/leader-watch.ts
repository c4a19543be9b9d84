/**
 * Whether the leader lives. One that does shows it in the log; one that has not for a while is asked, and taken for
 * dead if it does not answer. And whether anybody leads at all, as far as this node can tell.
 */
import { PeerError, type PeerLink } from '../cluster/peers.ts'
import { inBackground } from './background.ts'
import type { Clock, ClusterTimes, EngineLogger, Timer } from './ports.ts'

/** After so many times of silence (see ClusterTimes) this node does not count on there being a leader. */
const LOST_FACTOR = 3

export interface LeaderWatchPorts {
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly times: ClusterTimes
  /** Who should be leading; undefined if nobody has claimed to. */
  readonly leader: () => { readonly memberId: bigint } | undefined
  /** The connection to it, if it is another node. */
  readonly link: () => PeerLink | undefined
  /** Of this node, if it leads: when a record of its own was last known to be valid. */
  readonly lastCommit: () => number | undefined
  readonly expel: (memberId: bigint) => Promise<void>
  /** `hasLeader` has changed. */
  readonly onChange: () => void
}

export class LeaderWatch {
  readonly #ports: LeaderWatchPorts
  /** When the leader was last known to live: by the log, or because it was asked. */
  #lastHeard: number
  #lastRecord = -Infinity
  #hasLeader = false
  #timer: Timer | undefined

  constructor(ports: LeaderWatchPorts) {
    this.#ports = ports
    this.#lastHeard = ports.clock.now()
  }

  /** False if for long there was no sign in the log that anybody leads. */
  get hasLeader(): boolean {
    return this.#hasLeader
  }

  start(): void {
    this.#lastHeard = this.#ports.clock.now()
    this.#update()
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** The log has shown a valid record. */
  heard(): void {
    this.#lastHeard = this.#ports.clock.now()
    this.#lastRecord = this.#lastHeard
  }

  /** A claim was applied, or this node leads; whoever needs to know is told by the caller. */
  claimed(hasLeader: boolean): void {
    this.#hasLeader = hasLeader
  }

  #arm(): void {
    const { clock, link, logger, times } = this.#ports
    this.#timer = clock.setTimer(times.silenceMs / 4, () => {
      this.#arm()
      this.#update()
      const asked = link()
      if (asked === undefined || clock.now() - this.#lastHeard < times.silenceMs) return
      this.#lastHeard = clock.now()
      inBackground(this.#probe(asked), 'question whether the leader lives', logger)
    })
  }

  #update(): void {
    const { clock, lastCommit, leader, logger, onChange, times } = this.#ports
    const lastSign = lastCommit() ?? this.#lastRecord
    const hasLeader = leader() !== undefined && clock.now() - lastSign < LOST_FACTOR * times.silenceMs
    if (hasLeader === this.#hasLeader) return
    this.#hasLeader = hasLeader
    if (!hasLeader) logger.warn('the log has long shown no sign of a leader')
    onChange()
  }

  async #probe(asked: PeerLink): Promise<void> {
    const { expel, link, logger, times } = this.#ports
    try {
      await asked.request({ kind: 'ping' }, times.pingMs)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      const leader = this.#ports.leader()
      if (link() !== asked || leader === undefined) return
      logger.warn('the leader neither writes nor answers', { leader: leader.memberId.toString(16) })
      await expel(leader.memberId)
    }
  }
}
