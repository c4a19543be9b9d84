/**
 * Who leads the cluster, as this node sees and serves it. The coordinator says who should lead, which is a hint; a node
 * that is told to appends a claim, reads the log up to it, and leads if the log says so (log-and-leadership in
 * docs/guarantees.md). A leader is deposed by nothing but a later claim in the log. While this node does not lead it
 * reads the log along, keeps a connection to whoever does, and tells the coordinator when that one seems dead.
 */
import type { Claimer } from '../command/claim.ts'
import { RequestFailure } from '../command/failure.ts'
import { RecordChain } from '../command/record.ts'
import type { Assignment, Coordinator, MemberInfo } from '../cluster/coordination.ts'
import { PeerError, type PeerLink, type Peers } from '../cluster/peers.ts'
import { LogError, type LogRecord, type SharedLog } from '../log/log.ts'
import type { Applied } from '../state/state.ts'
import type { Identity } from './api.ts'
import { inBackground } from './background.ts'
import { isDivergence, raiseCorrupt } from './corrupt-alarm.ts'
import { LeaderWatch } from './leader-watch.ts'
import type { Clock, ClusterTimes, EngineLogger, Timer } from './ports.ts'
import { PeerLinks, type Reachable } from './peer-links.ts'
import { CLOCK_DRIFT, lostTail, Reign, type ReignPorts } from './reign.ts'
import type { Replica } from './replica.ts'
import { sleep } from './sleep.ts'
import { Tail } from './tail.ts'

/** How long the node that is to take over may take to answer, and then to claim. */
const TAKE_OVER_MS = 2_000
/**
 * A leader that has handed over answers for so long that it does not lead: others may not have read it yet, and of what
 * they send to a node that is gone nobody knows what became.
 */
const LINGER_MS = 1_000
/** How long a leader that stops waits for the log to acknowledge what is in flight. */
const STOP_PATIENCE_MS = 2_000
/** Between two claims of a node that is told to lead and finds that another claimed first. */
const RECLAIM_MS = 300
/**
 * A leader that the assignment does not know of yet has so long to announce itself: one that has died in between is
 * found by its silence, and a member that stands still can hold up a new assignment for its session's time.
 */
const ANNOUNCE_MS = 10_000

/** Whoever claimed the current epoch. It may be dead. */
export interface Leader extends Claimer {
  readonly epoch: number
}

export interface LeadershipPorts {
  readonly identity: Identity
  readonly clientUrls: () => readonly string[]
  readonly eligible: boolean
  readonly replica: Replica
  readonly log: SharedLog
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly coordinator: Coordinator
  readonly peers: Peers
  /** 16 random bytes that name this process in the log. */
  readonly owner: Uint8Array
  /** Random in [0, 1). */
  readonly chance: () => number
  /** Milliseconds of the wall clock, see MemberInfo. */
  readonly startedAt: number
  readonly times: ClusterTimes
  readonly reign: Pick<ReignPorts, 'autoCompaction' | 'observer' | 'onNoSpace'>
  /** See TailPorts.onBatch. */
  readonly onRead: (nextOffset: number, endOffset: number) => void
  /** A reign of this node has begun or ended, or another node's has begun. */
  readonly onChange: () => void
  /** The node must stop. */
  readonly onFailure: (error: Error) => void
}

/** Another member has what must be this one's alone. */
export class DuplicateMemberError extends Error {
  override readonly name = 'DuplicateMemberError'
  readonly code = 'DUPLICATE_MEMBER'
}

function reachable({ memberId, clientUrls }: MemberInfo): Reachable {
  return { memberId, urls: clientUrls }
}

export class Leadership {
  readonly #ports: LeadershipPorts
  readonly #owner: string
  readonly #tail: Tail
  #assignment: Assignment | undefined
  #reign: Reign | undefined
  /** Resolves when the last reign has nothing in flight any more. */
  #ended: Promise<void> = Promise.resolve()
  /** Of a claim that is on its way; aborted when it is moot. */
  #claim: AbortController | undefined
  #ledEpoch = 0
  readonly #links: PeerLinks
  readonly #watch: LeaderWatch
  #announceTimer: Timer | undefined
  #leaving = false
  #stopped = false
  readonly #changeWaiters = new Set<() => void>()

  constructor(ports: LeadershipPorts) {
    this.#ports = ports
    this.#owner = Buffer.from(ports.owner).toString('latin1')
    this.#links = new PeerLinks({
      self: ports.identity.memberId,
      peers: ports.peers,
      clock: ports.clock,
      onLeaderGone: ({ memberId }) => this.#leaderGone(memberId),
    })
    this.#watch = new LeaderWatch({
      clock: ports.clock,
      logger: ports.logger,
      times: ports.times,
      leader: () => this.#claimant,
      link: () => this.link,
      lastCommit: () => this.#reign?.lastCommit,
      expel: (memberId) => ports.coordinator.expel(memberId),
      onChange: () => this.#changed(),
    })
    this.#tail = new Tail({
      log: ports.log,
      clock: ports.clock,
      applied: () => ports.replica.position.offset,
      apply: (record) => this.#apply(record),
      ready: () => ports.replica.ready(),
      onBatch: ports.onRead,
      onFailure: (error) => this.#fail(error),
    })
  }

  /** Begins to read the log along. */
  follow(): void {
    this.#tail.start()
  }

  /** The log has been read up to its end: this node takes part from now on. */
  join(): void {
    const { coordinator } = this.#ports
    this.#linkToLeader()
    this.#watch.start()
    coordinator.join({
      self: () => this.#self(),
      onAssignment: (assignment) => this.#assigned(assignment),
      onFailure: (error) => this.#fail(error),
    })
  }

  /** Present while this node leads, as far as it knows. */
  get reign(): Reign | undefined {
    return this.#reign
  }

  /** Who leads, as far as this node can tell; undefined if for long there was no sign in the log that anybody does. */
  get leader(): Leader | undefined {
    return this.#watch.hasLeader ? this.#claimant : undefined
  }

  /** The connection to the leader, if that is another node. */
  get link(): PeerLink | undefined {
    return this.#links.leader
  }

  get members(): readonly MemberInfo[] {
    return this.#assignment?.members ?? [this.#self()]
  }

  /** Resolves at the next change of who leads, or after `limitMs`. */
  changedWithin(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel()
        this.#changeWaiters.delete(done)
        resolve()
      }
      const timer = this.#ports.clock.setTimer(limitMs, done)
      this.#changeWaiters.add(done)
    })
  }

  /** The leader of `epoch` wants this node to lead. False if this is not the moment. */
  takeOver(epoch: number): boolean {
    const { position } = this.#ports.replica
    if (position.epoch !== epoch || this.#reign !== undefined || this.#claim !== undefined) return false
    if (this.#leaving || this.#stopped || !this.#ports.eligible) return false
    this.#claimInBackground(epoch)
    return true
  }

  /** Resolves when the member leads. @throws RequestFailure NOT_LEADER, BAD_TRANSFEREE, TIMEOUT */
  async moveTo(memberId: bigint): Promise<void> {
    const reign = this.#reign
    if (reign === undefined) throw new RequestFailure('NOT_LEADER')
    if (memberId === this.#ports.identity.memberId) return
    const member = this.members.find((candidate) => candidate.memberId === memberId)
    if (member?.eligible !== true) throw new RequestFailure('BAD_TRANSFEREE')
    if (!(await this.#handOver(reign, member))) throw new RequestFailure('TIMEOUT')
  }

  /** Before this node stops: lets another one lead and leaves the group, but goes on following. Never rejects. */
  async resign(): Promise<void> {
    const { clock, coordinator, identity, logger } = this.#ports
    const handedOver = this.#reign !== undefined
    this.#leaving = true
    const others = this.members.filter(({ memberId, eligible }) => eligible && memberId !== identity.memberId)
    for (const member of others) {
      if (this.#reign === undefined || (await this.#handOver(this.#reign, member))) break
      logger.warn('a member did not take over; trying the next one', { member: member.name })
    }
    await Promise.all([coordinator.leave(), handedOver ? sleep(clock, LINGER_MS) : undefined])
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#watch.stop()
    this.#announceTimer?.cancel()
    this.#claim?.abort()
    await this.#ports.coordinator.leave()
    await this.#reign?.stop(STOP_PATIENCE_MS)
    this.#reign = undefined
    this.#tail.stop()
    this.#links.close()
    this.#changed()
  }

  /** Whoever claimed the current epoch; undefined if that is this node and it does not lead (yet). */
  get #claimant(): Leader | undefined {
    const { claimer, position } = this.#ports.replica.state
    if (claimer === undefined) return undefined
    if (position.owner === this.#owner && this.#reign === undefined) return undefined
    return { ...claimer, epoch: position.epoch }
  }

  #self(): MemberInfo {
    const { identity, clientUrls, eligible, replica, startedAt } = this.#ports
    return {
      memberId: identity.memberId,
      name: identity.name,
      clientUrls: clientUrls(),
      eligible: eligible && !this.#leaving,
      ledEpoch: this.#ledEpoch,
      appliedOffset: replica.position.offset,
      startedAt,
    }
  }

  #apply({ offset, bytes }: LogRecord): void {
    const { replica } = this.#ports
    const applied = replica.apply(offset, bytes)
    if (applied.status === 'ignored') return
    this.#watch.heard()
    if (applied.status === 'claimed') this.#claimed(applied)
    else if (this.#reign?.epoch === replica.position.epoch) this.#reign.observe(replica.position.seq, applied)
  }

  /** A valid claim was applied. If it is this node's own, `#claimUntilLeading` goes on from there. */
  #claimed({ epoch, owner, claimer }: Applied & { readonly status: 'claimed' }): void {
    const { logger } = this.#ports
    const reign = this.#reign
    this.#reign = undefined
    if (reign !== undefined) this.#ended = reign.supersede()
    if (owner !== this.#owner) {
      this.#claim?.abort()
      logger.info(reign === undefined ? 'another node leads now' : 'this node leads no longer; another one does', {
        epoch,
        leader: claimer.memberId.toString(16),
        urls: claimer.urls,
      })
    }
    this.#linkToLeader()
    this.#watch.claimed(this.#claimant !== undefined)
    this.#changed()
    // For the case that the coordinator goes on wanting this node; an own claim may also have come late, unawaited.
    if (owner !== this.#owner || this.#claim === undefined) this.#consider()
  }

  #assigned(assignment: Assignment): void {
    const { identity, logger, startedAt } = this.#ports
    const refusal = assignment.refused.find(
      (member) => member.memberId === identity.memberId && member.startedAt === startedAt,
    )
    if (refusal !== undefined) {
      this.#fail(new DuplicateMemberError(`another member of the cluster has ${refusal.conflict} too`))
      return
    }
    if (assignment.leader === undefined) logger.warn('no member of the cluster is eligible to lead')
    this.#assignment = assignment
    if (!this.#stopped) this.#links.keep(assignment.members.map(reachable))
    this.#consider()
  }

  /** Claims, if this node should lead and does not. */
  #consider(): void {
    const { clock } = this.#ports
    this.#announceTimer?.cancel()
    if (!this.#shouldLead() || this.#claim !== undefined) return
    if (this.#isOutdated()) {
      this.#announceTimer = clock.setTimer(ANNOUNCE_MS, () => this.#claimInBackground())
    } else {
      this.#claimInBackground()
    }
  }

  #shouldLead(): boolean {
    const { identity } = this.#ports
    return (
      this.#assignment?.leader === identity.memberId && this.#reign === undefined && !this.#leaving && !this.#stopped
    )
  }

  /** The assignment was made before the node that leads now had told that it does. */
  #isOutdated(): boolean {
    const leader = this.#claimant
    const member = this.#assignment?.members.find(({ memberId }) => memberId === leader?.memberId)
    if (leader === undefined || member === undefined || member.memberId === this.#ports.identity.memberId) return false
    return member.eligible && member.ledEpoch < leader.epoch
  }

  /** @param released the epoch whose leader asked for it. */
  #claimInBackground(released?: number): void {
    if (this.#claim !== undefined || this.#stopped) return
    const claim = new AbortController()
    this.#claim = claim
    const done = this.#claimUntilLeading(claim.signal, released)
      .catch((error: unknown) => {
        if (error instanceof LogError && (error.code === 'ABORTED' || error.code === 'CLOSED')) return
        this.#fail(error instanceof Error ? error : new Error(String(error)))
      })
      .finally(() => {
        this.#claim = undefined
        if (claim.signal.aborted) this.#reconsiderLater()
      })
    inBackground(done, 'claim', this.#ports.logger)
  }

  async #claimUntilLeading(signal: AbortSignal, released: number | undefined): Promise<void> {
    const { log, replica } = this.#ports
    await this.#ended
    const { claimer: previous, position } = replica.state
    this.#tail.start()
    const record = RecordChain.claiming(position, this.#ports.owner).claim(this.#claimer(previous))
    const { baseOffset } = await log.append([record], signal)
    if (baseOffset <= position.offset) throw lostTail(baseOffset, position.offset)
    // The claim counts where it is read, not where it was acknowledged: another one may stand before it.
    await replica.reached(baseOffset)
    if (!this.#holds(position.epoch + 1)) {
      this.#reconsiderLater()
      return
    }
    if (previous !== undefined && previous.readLeaseMs > 0 && released !== position.epoch) {
      await sleep(this.#ports.clock, previous.readLeaseMs * CLOCK_DRIFT)
    }
    if (this.#holds(position.epoch + 1) && !this.#stopped) this.#lead()
  }

  /** A predecessor that never came to write did not wait for the lease before it: so its successor must. */
  #claimer(previous: Claimer | undefined): Claimer {
    const { clientUrls, identity, replica, times } = this.#ports
    const inherited = replica.position.seq === 0 ? (previous?.readLeaseMs ?? 0) : 0
    const readLeaseMs = Math.max(times.readLeaseMs, inherited)
    return { memberId: identity.memberId, urls: clientUrls(), readLeaseMs }
  }

  #holds(epoch: number): boolean {
    const { position } = this.#ports.replica
    return position.epoch === epoch && position.owner === this.#owner
  }

  #lead(): void {
    const { clock, coordinator, log, logger, reign, replica, times } = this.#ports
    this.#tail.stop()
    const begun = new Reign({
      ...reign,
      replica,
      log,
      clock,
      logger,
      closedCode: 'NOT_LEADER',
      shared: times,
      onOutOfPlace: () => this.#tail.start(),
      onInPlace: () => {
        if (this.#reign === begun) this.#tail.stop()
      },
      onFailure: (error) => this.#fail(error),
    })
    this.#reign = begun
    this.#ledEpoch = begun.epoch
    begun.start()
    this.#watch.claimed(true)
    logger.info('this node leads', { epoch: begun.epoch })
    coordinator.announce()
    this.#changed()
  }

  #reconsiderLater(): void {
    if (this.#stopped) return
    const { chance, clock } = this.#ports
    clock.setTimer(RECLAIM_MS * (1 + chance()), () => this.#consider())
  }

  async #handOver(reign: Reign, member: MemberInfo): Promise<boolean> {
    const { logger } = this.#ports
    try {
      await reign.resign()
      // Beside the other's claim, so that it is read as soon as it is there.
      this.#tail.start()
      const request = { kind: 'takeOver', epoch: reign.epoch } as const
      const { kind } = await this.#links.to(reachable(member)).request(request, TAKE_OVER_MS)
      if (kind === 'done' && this.#reign === reign) await this.changedWithin(TAKE_OVER_MS)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      logger.warn('a member could not be asked to take over', { member: member.name, error })
    } finally {
      if (this.#reign === reign) {
        this.#tail.stop()
        reign.resume()
      }
    }
    return this.#reign !== reign
  }

  #linkToLeader(): void {
    if (!this.#stopped) this.#links.follow(this.#claimant)
  }

  #leaderGone(memberId: bigint): void {
    const { coordinator, logger } = this.#ports
    logger.warn('the leader seems to have died', { leader: memberId.toString(16), epoch: this.#claimant?.epoch })
    inBackground(coordinator.expel(memberId), 'expulsion of a dead leader', logger)
  }

  /** Who leads has changed, or whether anybody does. */
  #changed(): void {
    for (const wake of [...this.#changeWaiters]) wake()
    this.#ports.onChange()
  }

  #fail(error: Error): void {
    if (this.#stopped) return
    const leader = this.#claimant
    if (isDivergence(error) && leader !== undefined && this.#reign === undefined) {
      const { identity, logger, peers } = this.#ports
      const alarm = raiseCorrupt(peers, leader.urls, identity.memberId, logger)
      inBackground(alarm, 'alarm of a diverged state', logger)
    }
    this.#ports.onFailure(error)
  }
}
