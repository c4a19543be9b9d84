/** Leader election on a store: each candidate is a claim to the one seat of the service. */
import {
  checkData,
  checkId,
  isCoordinationError,
  type LeaderChangeListener,
  type LeaderElectionClient,
  type LeaderInfo,
  type Leadership,
  type LossReason,
  type NominateOptions,
  type OpOptions,
  type ReadOptions,
} from '../../spi/index.ts'
import type { Claim } from './claim-options.ts'
import type { Seat, Seated } from './driver.ts'
import type { Kernel } from './kernel.ts'
import { LeadershipHandle } from './leadership-handle.ts'
import { SeatClaim } from './seat-claim.ts'
import { refuseAborted, SeatService } from './seat-service.ts'
import type { Term } from './term.ts'

export class ElectionClient
  extends SeatService<LeaderChangeListener, string | undefined>
  implements LeaderElectionClient
{
  readonly service: string
  readonly #seat: Seat
  readonly #handles = new WeakMap<Term, Leadership>()

  /** @throws CoordinationError INVALID_KEY */
  constructor(kernel: Kernel, service: string) {
    checkId('service', service, kernel.capabilities)
    const seat: Seat = { kind: 'leader', service }
    super(kernel, {
      what: `service ${JSON.stringify(service)}`,
      open: (sink) => kernel.driver.followLeader(service, sink),
      seatOf: () => seat,
      present: (all) => all.get(service)?.id,
      isSame: (a, b) => a === b,
      show: (listener, leader) => listener.onLeaderChange(leader),
    })
    this.service = service
    this.#seat = seat
  }

  async getLeader(options?: ReadOptions): Promise<string | undefined> {
    return (await this.#read('getLeader', options))?.id
  }

  async leader(options?: ReadOptions): Promise<LeaderInfo | undefined> {
    const seated = await this.#read('leader', options)
    if (seated === undefined) return undefined
    return { candidate: seated.id, token: seated.token, data: new Uint8Array(seated.data) }
  }

  async nominate(candidate: string, options: NominateOptions = {}): Promise<boolean> {
    this.assertOpen()
    checkId('candidate', candidate, this.capabilities)
    const data = checkData(options.data ?? '', this.capabilities)
    refuseAborted(options)
    const { signal, timeoutMs = this.kernel.context.sessionTimeoutMs } = options
    const about = { what: 'nominate', key: candidate }
    const claim = await this.begin(
      about,
      options,
      () => this.#claim(candidate, data, options.takeover === true),
      () => this.error('CANDIDATE_EXISTS', `this client runs ${JSON.stringify(candidate)} already`, candidate),
    )
    const abort = signal === undefined ? {} : { signal }
    try {
      const finding = await this.kernel.calls.wait(about, { timeoutMs, ...abort }, claim.first)
      if (!('term' in finding)) return false
      // the listeners' time is not the call's
      await this.kernel.calls.wait(about, abort, finding.told)
      return finding.term.held
    } catch (error) {
      this.kernel.inBackground('undoing a nomination', claim.giveUp('resigned'))
      throw error
    }
  }

  leadership(candidate: string): Leadership | undefined {
    const term = this.claims.get(candidate)?.term
    return term?.held === true ? this.#handle(term) : undefined
  }

  async awaitLeadership(candidate: string, options: OpOptions = {}): Promise<Leadership> {
    this.assertOpen()
    checkId('candidate', candidate, this.capabilities)
    refuseAborted(options)
    const claim = this.claims.get(candidate)
    if (claim === undefined || claim.leaving) {
      throw this.error('LEADERSHIP_LOST', `${JSON.stringify(candidate)} is no candidate of ours`, candidate)
    }
    const term = await this.kernel.calls.wait({ what: 'awaitLeadership', key: candidate }, options, claim.nextTerm())
    return this.#handle(term)
  }

  async resign(leader: string, options: OpOptions = {}): Promise<void> {
    this.assertOpen()
    checkId('candidate', leader, this.capabilities)
    refuseAborted(options)
    const claim = this.claims.get(leader)
    const leads = claim?.term !== undefined || claim?.leaving === true
    if (claim !== undefined && leads) await this.giveUp('resign', claim, options)
  }

  async withdraw(candidate: string, options: OpOptions = {}): Promise<void> {
    this.assertOpen()
    checkId('candidate', candidate, this.capabilities)
    refuseAborted(options)
    const claim = this.claims.get(candidate)
    if (claim !== undefined) await this.giveUp('withdraw', claim, options)
  }

  override async seated(_claim: Claim, term: Term): Promise<void> {
    const leadership = this.#handle(term)
    await this.queue.event((listener) => listener.onElected?.(leadership))
  }

  override async lost(_claim: Claim, term: Term, reason: LossReason): Promise<void> {
    const leadership = this.#handle(term)
    await this.queue.event((listener) => listener.onLeadershipLost?.(leadership, reason))
  }

  #claim(id: string, data: Uint8Array, takeover: boolean): SeatClaim {
    return new SeatClaim({
      kernel: this.kernel,
      watch: this.watch,
      seat: this.#seat,
      name: this.service,
      id,
      data,
      returns: true,
      evicts: (holder) => takeover && holder.id === id && holder.session !== this.kernel.sessions.live?.id,
      code: 'LEADERSHIP_LOST',
      host: this,
    })
  }

  async #read(what: string, options: ReadOptions | undefined): Promise<Seated | undefined> {
    this.assertOpen()
    return this.kernel.calls.read({ what, key: this.service }, options, (call) =>
      this.kernel.driver.readSeat(this.#seat, call),
    )
  }

  #handle(term: Term): Leadership {
    let handle = this.#handles.get(term)
    if (handle === undefined) {
      handle = new LeadershipHandle(term, {
        service: this.service,
        backend: this.capabilities.backend,
        verify: (options) => this.#verify(term, options),
        resign: () => this.#resignAs(term),
      })
      this.#handles.set(term, handle)
    }
    return handle
  }

  async #verify(term: Term, options: OpOptions | undefined): Promise<boolean> {
    this.assertOpen()
    const claim = this.claims.get(term.id)
    if (claim?.term !== term) return false
    return claim.verify(term, options)
  }

  /** This term only. */
  async #resignAs(term: Term): Promise<void> {
    if (this.claims.get(term.id)?.term !== term || this.closing.aborted) return
    try {
      await this.resign(term.id)
    } catch (error) {
      // closing resigns too
      if (!isCoordinationError(error, 'CLOSED')) throw error
    }
  }
}
