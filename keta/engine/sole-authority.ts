/** The only owner of its log: it leads from its claim to its end, and needs to ask nobody. */
import { RequestFailure } from '../command/failure.ts'
import { RecordChain } from '../command/record.ts'
import type { Log } from '../log/log.ts'
import type { Identity, Member, RoutedRequest } from './api.ts'
import type { Authority } from './authority.ts'
import type { Clock, EngineLogger } from './ports.ts'
import { LogProtocolError, Reign, type ReignPorts } from './reign.ts'
import type { Replica } from './replica.ts'

export interface SoleAuthorityPorts {
  readonly identity: Identity
  readonly clientUrls: () => readonly string[]
  readonly replica: Replica
  readonly log: Log
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly owner: Uint8Array
  readonly reign: Pick<ReignPorts, 'autoCompaction' | 'observer' | 'onNoSpace'>
  readonly onFailure: (error: Error) => void
}

export class SoleAuthority implements Authority {
  readonly reign: Reign
  readonly #ports: SoleAuthorityPorts
  readonly leaderId: bigint

  /** Takes the log over: from here on records of an earlier owner are void, and this one may append commands. */
  static async claim(ports: SoleAuthorityPorts): Promise<SoleAuthority> {
    const { clientUrls, identity, log, owner, replica } = ports
    const claimer = { memberId: identity.memberId, urls: clientUrls(), readLeaseMs: 0 }
    const record = RecordChain.claiming(replica.position, owner).claim(claimer)
    const { baseOffset } = await log.append([record])
    const expected = replica.position.offset + 1
    if (baseOffset !== expected) {
      throw new LogProtocolError(`claimed at offset ${baseOffset}, but ${expected} is the next one to apply`)
    }
    const { status } = replica.apply(baseOffset, record)
    if (status !== 'claimed') throw new LogProtocolError(`the claim at offset ${baseOffset} was ${status}`)
    return new SoleAuthority(ports)
  }

  private constructor(ports: SoleAuthorityPorts) {
    const { onFailure } = ports
    this.#ports = ports
    this.leaderId = ports.identity.memberId
    const outOfPlace = (): void => onFailure(new LogProtocolError('the log holds records of another writer'))
    this.reign = new Reign({
      ...ports.reign,
      replica: ports.replica,
      log: ports.log,
      clock: ports.clock,
      logger: ports.logger,
      closedCode: 'STOPPED',
      shared: undefined,
      onOutOfPlace: outOfPlace,
      onInPlace: () => undefined,
      onFailure,
    })
    this.reign.start()
  }

  get members(): readonly Member[] {
    const { clientUrls, identity } = this.#ports
    return [{ id: identity.memberId, name: identity.name, peerUrls: [], clientUrls: clientUrls(), isLearner: false }]
  }

  onLeaderChange(): () => void {
    return () => undefined
  }

  join(): void {
    // There is nobody to join.
  }

  linearize(): undefined {
    return undefined
  }

  route(_request: RoutedRequest, local: () => Uint8Array | Promise<Uint8Array>): Uint8Array | Promise<Uint8Array> {
    return local()
  }

  takeOver(): boolean {
    return false
  }

  /** To itself, at once; there is nobody else. */
  moveTo(memberId: bigint): Promise<void> {
    return memberId === this.leaderId ? Promise.resolve() : Promise.reject(new RequestFailure('BAD_TRANSFEREE'))
  }

  resign(): Promise<void> {
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.reign.stop()
  }
}
