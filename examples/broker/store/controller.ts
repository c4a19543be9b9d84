/**
 * The controller: leads the service `controller`, and as long as it does, makes the store what it should be. It keeps
 * nothing in mind from one look to the next. Every write of it carries its term as a fence: one that has been replaced
 * while it slept cannot change anything.
 */
import {
  type GroupMembershipClient,
  isCoordinationError,
  lead,
  type LeaderElectionClient,
  type Leadership,
  type ListenerRegistry,
  type Logger,
  modify,
  sameBytes,
  type Storage,
} from 'keta/spi'
import { setTimeout as sleep } from 'node:timers/promises'
import { Bell } from '../bell.ts'
import { CONTROLLER_EPOCH, DELETE_TOPICS, PREFERRED_ELECTION, REASSIGNMENT, SHUTDOWNS } from '../core/paths.ts'
import { plan } from '../core/plan.ts'
import type { Write } from '../core/view.ts'
import { messageOf } from '../errors.ts'
import { readCluster } from './snapshot.ts'

export const SERVICE = 'controller'

export interface ControllerSetup {
  readonly brokerId: number
  readonly election: LeaderElectionClient
  readonly storage: Storage
  readonly registry: ListenerRegistry
  readonly group: GroupMembershipClient
  readonly logger: Logger
  /** How long nothing is looked at if nothing seems to change. Milliseconds. */
  readonly lookEveryMs: number
}

export interface ControllerStatus {
  /** Undefined: this broker does not control. */
  readonly epoch: number | undefined
  /** Of all its terms. */
  readonly terms: number
  readonly writes: number
  readonly conflicts: number
  /** Writes that came after the end of their term. */
  readonly fenced: number
}

/** How many writes are under way at once. */
const WRITERS = 16
const RETRY_MS = 200
const GATHER_MS = 20

export class Controller {
  readonly #setup: ControllerSetup
  readonly #hint = new Bell()
  readonly #closing = new AbortController()
  readonly #wishes = { keySetChanged: () => this.#hint.ring(), valueChanged: () => this.#hint.ring() }
  readonly #finished: Promise<void>
  #status = { epoch: undefined as number | undefined, terms: 0, writes: 0, conflicts: 0, fenced: 0 }

  /** Stands for election at once, and again after each loss. */
  constructor(setup: ControllerSetup) {
    this.#setup = setup
    this.#finished = this.#stand()
  }

  get status(): ControllerStatus {
    return { ...this.#status }
  }

  /** Something may have changed. */
  hint(): void {
    this.#hint.ring()
  }

  /** Resigns. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#hint.ring()
    await this.#finished
  }

  async #stand(): Promise<void> {
    const { election, brokerId, logger } = this.#setup
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await lead(election, String(brokerId), (leadership, over) => this.#rule(leadership, over), { signal })
      } catch (error) {
        if (this.#closing.signal.aborted || isCoordinationError(error, 'CLOSED')) return
        logger.warn(`standing for controller: ${messageOf(error)}`)
        await this.#hint.next(RETRY_MS)
      }
    }
  }

  /** One term. @param over aborts when it ends. */
  async #rule(leadership: Leadership, over: AbortSignal): Promise<void> {
    const { logger, lookEveryMs } = this.#setup
    const ended = () => this.#hint.ring()
    over.addEventListener('abort', ended)
    try {
      await this.#listen()
      const epoch = await this.#beginEpoch(leadership, over)
      this.#status = { ...this.#status, epoch, terms: this.#status.terms + 1 }
      logger.info(`controller in epoch ${epoch}, token ${leadership.token}`)
      while (!over.aborted) {
        const changed = this.#hint.next(lookEveryMs)
        const { outcome } = await this.#look(leadership, epoch, over)
        if (outcome === 'fenced') return
        if (outcome === 'failed') await this.#hint.next(RETRY_MS)
        else if (outcome === 'settled') await changed
        // what changes together is looked at together
        await sleep(GATHER_MS)
      }
    } finally {
      over.removeEventListener('abort', ended)
      this.#status = { ...this.#status, epoch: undefined }
    }
  }

  /** To what administrators wish; of brokers and topics it is told by {@link hint}. Once is enough for all terms. */
  async #listen(): Promise<void> {
    const { registry } = this.#setup
    await Promise.all([
      ...[DELETE_TOPICS, SHUTDOWNS].map((path) => registry.addKeySetChangeListener(path, this.#wishes)),
      ...[REASSIGNMENT, PREFERRED_ELECTION].map((key) => registry.addValueChangeListener(key, this.#wishes)),
    ])
  }

  /** Epochs are dense: under the fence, nobody but this controller counts on. */
  async #beginEpoch(leadership: Leadership, signal: AbortSignal): Promise<number> {
    const counted = await modify(
      this.#setup.storage,
      CONTROLLER_EPOCH,
      (now) => String(now === undefined ? 1 : Number(now.text) + 1),
      {
        fence: leadership,
        signal,
        appliedIn: (current, written) => current !== undefined && sameBytes(current.bytes, written),
      },
    )
    return Number(counted?.text)
  }

  /** Looks once, and does what is to be done. */
  async #look(leadership: Leadership, epoch: number, signal: AbortSignal): Promise<{ readonly outcome: Outcome }> {
    const { storage, group, logger } = this.#setup
    try {
      const view = await readCluster(storage, group, (key, { message }) => logger.warn(`${key}: ${message}`))
      const writes = [...plan(view, epoch)]
      if (writes.length === 0) return { outcome: 'settled' }
      const results = await Promise.all(
        Array.from({ length: WRITERS }, () => this.#writeAll(writes, leadership, signal)),
      )
      return { outcome: worst(results) }
    } catch (error) {
      if (!signal.aborted) logger.warn(`controlling: ${messageOf(error)}`)
      return { outcome: 'failed' }
    }
  }

  async #writeAll(writes: Write[], leadership: Leadership, signal: AbortSignal): Promise<Outcome> {
    let outcome: Outcome = 'written'
    for (let write = writes.shift(); write !== undefined && !signal.aborted; write = writes.shift()) {
      outcome = worst([outcome, await this.#write(write, leadership, signal)])
    }
    return outcome
  }

  async #write(write: Write, fence: Leadership, signal: AbortSignal): Promise<Outcome> {
    const { storage, logger } = this.#setup
    try {
      if (write.op === 'put') await storage.put(write.key, write.data, { fence })
      else if (write.op === 'update') await storage.update(write.key, write.data, { fence, ifVersion: write.ifVersion })
      else await storage.delete(write.key, { fence, ifVersion: write.ifVersion })
      this.#status.writes++
      return 'written'
    } catch (error) {
      if (isCoordinationError(error, 'FENCED')) {
        this.#status.fenced++
        logger.warn(`${write.op} of ${write.key} came after this controller’s term: ${error.message}`)
        return 'fenced'
      }
      const isConflict = ['KEY_EXISTS', 'KEY_NOT_FOUND', 'VERSION_MISMATCH'] as const
      if (isConflict.some((code) => isCoordinationError(error, code))) {
        // somebody else was faster: look again
        this.#status.conflicts++
        return 'written'
      }
      if (!signal.aborted) logger.warn(`${write.op} of ${write.key}: ${messageOf(error)}`)
      return 'failed'
    }
  }
}

/** `settled`: nothing was to be done. `written`: look again. */
type Outcome = 'settled' | 'written' | 'failed' | 'fenced'

const WORSE: readonly Outcome[] = ['settled', 'written', 'failed', 'fenced']

function worst(outcomes: readonly Outcome[]): Outcome {
  return WORSE[Math.max(0, ...outcomes.map((outcome) => WORSE.indexOf(outcome)))] ?? 'failed'
}
