/**
 * What is true: a state machine that applies every record at the moment when it becomes durable, and remembers what
 * each did. All that nodes hold and clients are told is compared with it.
 */
import { RECORD_HEADER_BYTES } from '../command/record.ts'
import type { LogRecord } from '../log/log.ts'
import type { Applied, LogPosition } from '../state/state.ts'
import { StateMachine } from '../state/state-machine.ts'
import { operationOf, resultOf } from './requests.fixture.ts'

/** What an operation of a client came to in the log. */
export interface Effect {
  readonly offset: number
  readonly revision: number
  /** A refusal's code, or what the response came to. */
  readonly result: string
}

export interface Change {
  readonly revision: number
  readonly key: string
  /** Undefined: deleted. */
  readonly value: string | undefined
}

export interface KnownPosition extends LogPosition {
  readonly revision: number
}

export class Oracle {
  readonly machine = new StateMachine()
  /** Told of a lease that was revoked, but not by a client. */
  onExpiry: (id: bigint, position: LogPosition) => void = () => undefined
  /** Operation to effect. */
  readonly effects = new Map<number, Effect>()
  /** Epoch to the process that claimed it, as 16 bytes. */
  readonly owners = new Map<number, string>()
  /** Of each revision what it changed; the first two are empty. */
  readonly changes: (readonly Change[])[] = [[], []]
  readonly #positions = new Map<number, KnownPosition>()
  readonly #keys = new Map<string, Change[]>()
  readonly #violate: (message: string) => void

  constructor(violate: (message: string) => void) {
    this.#violate = violate
  }

  /** Offset of the newest durable record. */
  get offset(): number {
    return this.machine.position.offset
  }

  get revision(): number {
    return this.machine.store.revision
  }

  apply({ offset, bytes }: LogRecord): void {
    let applied: Applied
    try {
      applied = this.machine.apply(offset, bytes)
    } catch (error) {
      this.#violate(`the log cannot be applied: ${String(error)}`)
      return
    }
    this.#positions.set(offset, { ...this.machine.position, revision: this.revision })
    if (applied.status === 'claimed') this.owners.set(applied.epoch, applied.owner)
    if (applied.status !== 'applied') return
    if (applied.commit !== undefined) this.#keep(applied)
    const operation = operationOf(bytes.subarray(RECORD_HEADER_BYTES))
    if (operation === undefined) {
      const { command, failure } = applied
      if (command.kind === 'leaseRevoke' && failure === undefined) this.onExpiry(command.id, this.machine.position)
      return
    }
    if (this.effects.has(operation)) this.#violate(`operation ${operation} took effect twice, again at ${offset}`)
    const result = applied.failure ?? resultOf(applied.response)
    this.effects.set(operation, { offset, revision: this.revision, result })
  }

  /** Where a replica stands that has applied the record at `offset`; undefined if no such record is durable. */
  position(offset: number): KnownPosition | undefined {
    return this.#positions.get(offset)
  }

  /** All keys and values as of a revision, in the order of the keys. */
  state(revision: number): string {
    return [...this.#keys.keys()]
      .sort()
      .flatMap((key) => {
        const value = this.value(key, revision)
        return value === undefined ? [] : [`${key}=${value}`]
      })
      .join(' ')
  }

  value(key: string, revision: number): string | undefined {
    return this.#keys.get(key)?.findLast((change) => change.revision <= revision)?.value
  }

  /** 0 if the key is not alive then. */
  modRevision(key: string, revision: number): number {
    const last = this.#keys.get(key)?.findLast((change) => change.revision <= revision)
    return last?.value === undefined ? 0 : last.revision
  }

  #keep(applied: Applied & { readonly status: 'applied' }): void {
    const { revision, events } = applied.commit!
    const changes = events.map(({ version }) => {
      const value = version.version === 0 ? undefined : Buffer.from(version.value()).toString('latin1')
      return { revision, key: String(version.key), value }
    })
    if (this.changes.length !== revision) this.#violate(`revision ${revision} after ${this.changes.length - 1}`)
    this.changes.push(changes)
    for (const change of changes) {
      const past = this.#keys.get(change.key)
      if (past === undefined) this.#keys.set(change.key, [change])
      else past.push(change)
    }
  }
}
