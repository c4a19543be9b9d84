/**
 * Put ④–⑧: a batch becomes records, the log makes them durable, the state machine applies them in log order, watchers
 * are told, and every waiting client gets its answer. A command is acknowledged only here, after the log has
 * acknowledged it in place.
 */
import type { Command } from '../command/command.ts'
import { RequestFailure } from '../command/failure.ts'
import { RecordChain } from '../command/record.ts'
import type { Log } from '../log/log.ts'
import type { Commit } from '../mvcc/kv.ts'
import type { Applied } from '../state/state.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { Clock, EngineLogger } from './ports.ts'
import { type Proposal, refuse, succeed } from './proposer.ts'
import type { Quota } from './quota.ts'

/** etcd's threshold for its warning of the same name. */
const SLOW_APPLY_MS = 100

export interface CommitterPorts {
  readonly log: Log
  readonly state: StateMachine
  readonly quota: Quota
  /** 16 random bytes that name this process in the log. */
  readonly owner: Uint8Array
  readonly urls: readonly string[]
  readonly clock: Clock
  readonly logger: EngineLogger
  readonly onCommit: (commit: Commit) => void
  readonly onApplied: (command: Command) => void
  readonly onNoSpace: () => void
  readonly onBatch: (bytes: number) => void
}

/** The log answered with something that the protocol does not allow: going on would risk acknowledged data. */
export class LogProtocolError extends Error {
  override readonly name = 'LogProtocolError'
  readonly code = 'LOG_PROTOCOL'
}

export class Committer {
  readonly #ports: CommitterPorts
  #chain: RecordChain | undefined

  constructor(ports: CommitterPorts) {
    this.#ports = ports
  }

  /** Appends and applies this owner's claim; commands can be committed afterwards. */
  async claim(): Promise<void> {
    const { state, log, owner, urls } = this.#ports
    const chain = RecordChain.claiming(state.position, owner)
    const record = chain.claim({ memberId: 0n, urls, readLeaseMs: 0 })
    const { baseOffset } = await log.append([record])
    this.#expectInPlace(baseOffset)
    const applied = state.apply(baseOffset, record)
    if (applied.status !== 'claimed')
      throw new LogProtocolError(`the claim at offset ${baseOffset} was ${applied.status}`)
    this.#chain = chain
  }

  async commit(batch: readonly Proposal[]): Promise<void> {
    const chain = this.#chain
    if (chain === undefined) throw new LogProtocolError('a command was proposed before the claim')
    const records = batch.map((proposal) => chain.command(proposal.payload))
    const { baseOffset } = await this.#ports.log.append(records)
    this.#expectInPlace(baseOffset)
    this.#applyBatch(batch, records, baseOffset)
  }

  /** Nothing may stand between what was applied and what was appended: then every record of the batch is valid. */
  #expectInPlace(baseOffset: number): void {
    const expected = this.#ports.state.position.offset + 1
    if (baseOffset !== expected) {
      throw new LogProtocolError(`appended at offset ${baseOffset}, but ${expected} is the next one to apply`)
    }
  }

  #applyBatch(batch: readonly Proposal[], records: readonly Uint8Array[], baseOffset: number): void {
    const { clock, logger, onBatch } = this.#ports
    const started = clock.now()
    let bytes = 0
    for (const [index, proposal] of batch.entries()) {
      const record = records[index]
      if (record === undefined) throw new LogProtocolError(`no record for proposal ${index} of ${batch.length}`)
      bytes += record.length
      this.#applyOne(proposal, baseOffset + index, record)
    }
    const took = clock.now() - started
    if (took > SLOW_APPLY_MS) {
      logger.warn('apply request took too long', {
        took: `${took.toFixed(0)}ms`,
        expected: `${SLOW_APPLY_MS}ms`,
        commands: batch.length,
      })
    }
    onBatch(bytes)
  }

  #applyOne(proposal: Proposal, offset: number, record: Uint8Array): void {
    const { state, quota, onCommit, onApplied, onNoSpace } = this.#ports
    const hasRoom = quota.hasRoomFor(proposal.command)
    const applied = state.apply(offset, record, proposal.command)
    if (applied.status !== 'applied')
      throw new LogProtocolError(`own record at offset ${offset} was ${describe(applied)}`)
    if (applied.failure !== undefined) {
      refuse(proposal, new RequestFailure(applied.failure))
      return
    }
    onApplied(proposal.command)
    if (applied.commit !== undefined) onCommit(applied.commit)
    if (hasRoom) {
      succeed(proposal, { response: applied.response, revision: state.store.revision })
    } else {
      // As in etcd: the write that crosses the quota is kept, and its client is told that there is no more room.
      onNoSpace()
      refuse(proposal, new RequestFailure('NO_SPACE'))
    }
  }
}

function describe(applied: Applied): string {
  return applied.status === 'ignored' ? `ignored (${applied.reason})` : applied.status
}
