/**
 * What clients were told, held against the truth: what was acknowledged is in the log as it was told, what failed for
 * certain is not, and a linearizable answer is no older than any that was given before it was asked for.
 */
import { decodeRecord } from '../command/record.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { Oracle } from './oracle.fixture.ts'
import type { Answer } from './requests.fixture.ts'
import type { Process, World } from './world.fixture.ts'

/** What had been answered when an operation was invoked. */
export interface Invocation {
  readonly at: number
  readonly operation: number
  readonly floorOffset: number
  readonly floorRevision: number
}

interface Renewal {
  readonly at: number
  readonly ttlMs: number
}

interface Sent {
  readonly at: number
  readonly rate: number
}

/** Rounding of clocks. */
const SLACK_MS = 2

export class Checks {
  readonly #world: World
  readonly #oracle: Oracle
  #operations = 0
  #floorOffset = -1
  #floorRevision = 0
  /** Operations that were said to have no effect. */
  readonly #without = new Map<number, string>()
  /** Who has been seen leading each epoch. */
  readonly #leaders = new Map<number, number>()
  readonly #renewals = new Map<bigint, Renewal>()
  /** By epoch and number: when a record was sent first, and how fast its sender's clock is. */
  readonly #sent = new Map<string, Sent>()
  readonly #expiries = new Map<bigint, Sent>()
  readonly counts = { acknowledged: 0, reads: 0, unknown: 0, refused: 0, events: 0, epochs: 0 }

  constructor(world: World, oracle: Oracle) {
    this.#world = world
    this.#oracle = oracle
    oracle.onExpiry = (id, { epoch, seq }) => {
      const sent = this.#sent.get(`${epoch}/${seq}`)
      if (sent !== undefined) this.#expiries.set(id, sent)
      this.#checkExpiry(id)
    }
  }

  invoke(): Invocation {
    const { now } = this.#world
    this.#operations++
    return {
      at: now,
      operation: this.#operations,
      floorOffset: this.#floorOffset,
      floorRevision: this.#floorRevision,
    }
  }

  /** The log's answer to an operation. */
  acknowledged(invocation: Invocation, { revision, result }: Answer): void {
    this.counts.acknowledged++
    const { operation, floorOffset } = invocation
    const effect = this.#oracle.effects.get(operation)
    if (effect === undefined) {
      this.#violate(`operation ${operation} was acknowledged, but is not durable`)
      return
    }
    if (effect.result !== result || effect.revision !== revision) {
      const told = `${result} at revision ${revision}`
      this.#violate(`operation ${operation} was told ${told}, in the log it is ${JSON.stringify(effect)}`)
    }
    if (effect.offset <= floorOffset) this.#violate(`operation ${operation} stands before what was answered before it`)
    this.#floorOffset = Math.max(this.#floorOffset, effect.offset)
    this.#floorRevision = Math.max(this.#floorRevision, effect.revision)
  }

  /** The state machine refused it. */
  refused(invocation: Invocation, code: string): void {
    const effect = this.#oracle.effects.get(invocation.operation)
    this.counts.refused++
    if (effect?.result !== code) {
      this.#violate(`operation ${invocation.operation} was refused with ${code}, but is ${JSON.stringify(effect)}`)
    }
  }

  withoutEffect({ operation }: Invocation, code: string): void {
    this.counts.refused++
    this.#without.set(operation, code)
  }

  /** @param state as the reader got it, see Oracle.state */
  read(invocation: Invocation, given: { offset: number; revision: number; state: string }): void {
    this.counts.reads++
    const { offset, revision } = given
    if (offset < invocation.floorOffset || revision < invocation.floorRevision) {
      const floor = `offset ${invocation.floorOffset}, revision ${invocation.floorRevision}`
      this.#violate(`a linearizable read saw offset ${offset}, revision ${revision}; before it was asked ${floor}`)
    }
    this.sawState(revision, given.state)
    this.#floorRevision = Math.max(this.#floorRevision, revision)
  }

  sawState(revision: number, state: string): void {
    const truth = this.#oracle.state(revision)
    if (state !== truth) this.#violate(`at revision ${revision} a reader saw "${state}", it is "${truth}"`)
  }

  /** The list was at this revision when it was read, and what was appended was answered so. */
  appended(key: string, modRevision: number, { revision, result }: Answer): void {
    const before = this.#oracle.modRevision(key, result === 'succeeded' ? revision - 1 : revision)
    if ((before === modRevision) === (result === 'succeeded')) return
    this.#violate(`a comparison of ${key} with revision ${modRevision} ${result}; it was ${before} before ${revision}`)
  }

  /** A lease was granted or renewed by an operation that was asked for then. */
  renewed({ at }: Invocation, id: bigint, ttlSeconds: number): void {
    const last = this.#renewals.get(id)
    if (last !== undefined && last.at >= at) return
    this.#renewals.set(id, { at, ttlMs: ttlSeconds * 1000 })
    this.#checkExpiry(id)
  }

  /** A leader sends records to the log for the first time. */
  sends(records: readonly Uint8Array[], rate: number): void {
    for (const bytes of records) {
      const { epoch, seq } = decodeRecord(bytes)
      this.#sent.set(`${epoch}/${seq}`, { at: this.#world.now, rate })
    }
  }

  /** A node has applied a record. */
  applied(process: Process, machine: StateMachine): void {
    const { position, store } = machine
    const truth = this.#oracle.position(position.offset)
    if (truth === undefined) {
      this.#violate(`n${process.node} applied offset ${position.offset}, which is not durable`)
      return
    }
    const same =
      truth.epoch === position.epoch &&
      truth.owner === position.owner &&
      truth.seq === position.seq &&
      truth.hash === position.hash &&
      truth.digest === position.digest &&
      truth.revision === store.revision
    if (!same) this.#violate(`n${process.node} differs from the others after offset ${position.offset}`)
  }

  leads(process: Process, epoch: number): void {
    const known = this.#leaders.get(epoch)
    if (known === process.id) return
    if (known !== undefined) this.#violate(`two processes lead epoch ${epoch}`)
    this.#leaders.set(epoch, process.id)
    this.counts.epochs++
  }

  /** When nothing is on its way any more. */
  finish(): void {
    for (const [operation, code] of this.#without) {
      const effect = this.#oracle.effects.get(operation)
      if (effect === undefined) continue
      this.#violate(`operation ${operation} was told ${code}, but took effect: ${JSON.stringify(effect)}`)
    }
  }

  /** The leader decided before it sent the revoke. */
  #checkExpiry(id: bigint): void {
    const renewal = this.#renewals.get(id)
    const expiry = this.#expiries.get(id)
    if (renewal === undefined || expiry === undefined || expiry.at < renewal.at) return
    const elapsed = (expiry.at - renewal.at) * expiry.rate
    if (elapsed + SLACK_MS < renewal.ttlMs) {
      this.#violate(`lease ${id} was revoked ${elapsed.toFixed(0)} ms after a renewal; its TTL is ${renewal.ttlMs} ms`)
    }
  }

  #violate(message: string): void {
    this.#world.violate(message)
  }
}
