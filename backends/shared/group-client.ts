/** Group membership on a store: each member is a claim to the seat of its id. */
import {
  checkData,
  checkId,
  type Data,
  type GroupChangeListener,
  type GroupMembershipClient,
  isCoordinationError,
  type JoinOptions,
  type LossReason,
  type Member,
  type Membership,
  type OpOptions,
  type ReadOptions,
  toText,
} from '../../spi/index.ts'
import type { Seat, Seated } from './driver.ts'
import type { Kernel } from './kernel.ts'
import type { Claim, Finding } from './claim-options.ts'
import { SeatClaim } from './seat-claim.ts'
import { refuseAborted, SeatService } from './seat-service.ts'
import type { Term } from './term.ts'

export class GroupClient
  extends SeatService<GroupChangeListener, ReadonlySet<string>>
  implements GroupMembershipClient
{
  readonly group: string
  readonly #memberships = new WeakMap<Term, Membership>()

  /** @throws CoordinationError INVALID_KEY */
  constructor(kernel: Kernel, group: string) {
    checkId('group', group, kernel.capabilities)
    super(kernel, {
      what: `group ${JSON.stringify(group)}`,
      open: (sink) => kernel.driver.followGroup(group, sink),
      seatOf: (id) => ({ kind: 'member', group, id }),
      present: (all) => new Set(all.keys()),
      isSame: (a, b) => a.size === b.size && [...a].every((id) => b.has(id)),
      show: (listener, ids) => listener.onGroupChange(new Set(ids)),
    })
    this.group = group
  }

  async join(id: string, data: Data, options: JoinOptions = {}): Promise<Membership> {
    this.assertOpen()
    checkId('member', id, this.capabilities)
    const bytes = checkData(data, this.capabilities)
    refuseAborted(options)
    const claim = await this.begin(
      { what: 'join', key: id },
      options,
      () => this.#claim(id, bytes, options),
      () => this.#exists(id),
    )
    try {
      const term = await this.#seatOf(claim, options)
      return this.#membership(claim, term)
    } catch (error) {
      // nobody has heard of it, and nobody shall
      this.kernel.inBackground('undoing a join', claim.giveUp('resigned', { quietly: true }))
      throw error
    }
  }

  async updateData(id: string, data: Data, options: OpOptions = {}): Promise<void> {
    this.assertOpen()
    checkId('member', id, this.capabilities)
    const bytes = checkData(data, this.capabilities)
    const claim = this.claims.get(id)
    const term = claim?.term
    if (claim === undefined || term?.held !== true) throw this.#notMember(id)
    const isOurs = await this.kernel.calls.repeat({ what: 'updateData', key: id }, options, (call) =>
      this.kernel.driver.amendSeat(this.#seat(id), term.token, bytes, call),
    )
    if (!isOurs) {
      claim.evicted(term)
      throw this.#notMember(id)
    }
    claim.data = bytes
  }

  async leave(id: string, options: OpOptions = {}): Promise<void> {
    this.assertOpen()
    checkId('member', id, this.capabilities)
    refuseAborted(options)
    const claim = this.claims.get(id)
    if (claim !== undefined) await this.giveUp('leave', claim, options)
  }

  async membershipList(options?: ReadOptions): Promise<ReadonlySet<string>> {
    return new Set((await this.#read('membershipList', options)).keys())
  }

  async membership(options?: ReadOptions): Promise<ReadonlyMap<string, string>> {
    const all = await this.#read('membership', options)
    const { backend } = this.capabilities
    return new Map([...all].map(([id, seated]) => [id, toText(seated.data, { key: id, backend })]))
  }

  async members(options?: ReadOptions): Promise<ReadonlyMap<string, Member>> {
    const all = await this.#read('members', options)
    return new Map([...all].map(([id, { data, token }]) => [id, { id, data: new Uint8Array(data), epoch: token }]))
  }

  override async seated(claim: Claim, term: Term, first: boolean): Promise<void> {
    const membership = this.#membership(claim, term)
    if (!first) await this.queue.event((listener) => listener.onRejoined?.(membership))
  }

  override async lost(claim: Claim, term: Term, reason: LossReason): Promise<void> {
    const membership = this.#membership(claim, term)
    await this.queue.event((listener) => listener.onMembershipLost?.(membership, reason))
  }

  #claim(id: string, data: Uint8Array, { onConflict, autoRejoin = true }: JoinOptions): SeatClaim {
    return new SeatClaim({
      kernel: this.kernel,
      watch: this.watch,
      seat: this.#seat(id),
      name: id,
      id,
      data,
      returns: autoRejoin,
      evicts: () => onConflict === 'takeover',
      code: 'NOT_A_MEMBER',
      host: this,
    })
  }

  async #seatOf(claim: SeatClaim, options: JoinOptions): Promise<Term> {
    const { signal, onConflict = 'throw' } = options
    const timeoutMs = options.timeoutMs ?? (onConflict === 'wait' ? Infinity : this.kernel.context.sessionTimeoutMs)
    const about = { what: 'join', key: claim.id }
    const wait = { timeoutMs, ...(signal !== undefined && { signal }) }
    const seated = async (): Promise<Term> => {
      const finding: Finding = await claim.first
      if ('term' in finding) return finding.term
      if (onConflict === 'throw') throw this.#exists(claim.id)
      return claim.nextTerm()
    }
    return this.kernel.calls.wait(about, wait, seated())
  }

  async #read(what: string, options: ReadOptions | undefined): Promise<ReadonlyMap<string, Seated>> {
    this.assertOpen()
    return this.kernel.calls.read({ what, key: this.group }, options, (call) =>
      this.kernel.driver.readGroup(this.group, call),
    )
  }

  #membership(claim: Claim, term: Term): Membership {
    let membership = this.#memberships.get(term)
    if (membership === undefined) {
      membership = Object.freeze({
        id: term.id,
        epoch: term.token,
        signal: term.signal,
        [Symbol.asyncDispose]: () => this.#leaveAs(claim),
      })
      this.#memberships.set(term, membership)
    }
    return membership
  }

  /** Also what has become of it after a loss; but not what was joined anew. */
  async #leaveAs(claim: Claim): Promise<void> {
    if (this.claims.get(claim.id) !== claim || this.closing.aborted) return
    try {
      await this.leave(claim.id)
    } catch (error) {
      // closing leaves too
      if (!isCoordinationError(error, 'CLOSED')) throw error
    }
  }

  #seat(id: string): Seat {
    return { kind: 'member', group: this.group, id }
  }

  #exists(id: string): Error {
    return this.error('MEMBER_EXISTS', `group ${JSON.stringify(this.group)} has a member ${JSON.stringify(id)}`, id)
  }

  #notMember(id: string): Error {
    return this.error('NOT_A_MEMBER', `${JSON.stringify(id)} is not a member of ours`, id)
  }
}
