/** Sessions: a ZooKeeper session each, with connections of its own. */
import { CoordinationError, isCoordinationError } from '../../spi/index.ts'
import type { Call, SessionGrant, SessionStore } from '../shared/driver.ts'
import { type ClientSettings, ZkClient } from './connection/client.ts'
import { BACKEND, sessionLost } from './connection/errors.ts'
import { Proofs } from './proofs.ts'
import { agree, type Newest } from './reads.ts'

export interface SessionsOptions {
  readonly settings: ClientSettings
  /** What is there as long as the cluster is. */
  readonly root: string
  readonly newest: Newest
  /** The servers' `tickTime`, milliseconds. */
  readonly tickMs: number
  /** See ClientOptions. */
  readonly patienceMs: number
}

/** The checks that renewals rest on are sent so often, in parts of the time to live; and given up after. */
const CHECK_PART = 1 / 8
const CHECK_LIMIT_PART = 1 / 3

export class Sessions implements SessionStore {
  readonly #options: SessionsOptions
  readonly #open = new Map<string, OwnSession>()
  /** Also those of sessions that could not be opened, or are being ended. */
  readonly #clients = new Set<ZkClient>()

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  async openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
    const { settings, root, newest, tickMs, patienceMs } = this.#options
    const asked = settings.context.clock.now()
    const timeoutMs = Math.ceil(ttlMs)
    const client = new ZkClient({ ...settings, timeoutMs, patienceMs, reopens: false, saw: newest.saw })
    this.#clients.add(client)
    client.listen({ over: () => this.#clients.delete(client) })
    client.start()
    try {
      await agree(client, root, call)
      call.signal.throwIfAborted()
      refuseShorter(client.timeoutMs, ttlMs)
    } catch (error) {
      this.#abandon(client)
      throw error
    }
    const session = new OwnSession(client, root, tickMs)
    this.#open.set(client.id, session)
    client.listen({
      over: () => {
        session.stop()
        this.#open.delete(client.id)
      },
    })
    return session.grant(asked)
  }

  /** Of a session that this driver has opened; who else could keep it alive does not know its password. */
  async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    const session = this.#open.get(id)
    if (session === undefined) return undefined
    const asked = this.#options.settings.context.clock.now()
    try {
      await session.check(call)
    } catch (error) {
      if (isCoordinationError(error, 'SESSION_LOST')) return undefined
      throw error
    }
    return session.grant(asked)
  }

  async endSession(id: string, call: Call): Promise<void> {
    const session = this.#open.get(id)
    if (session === undefined) return
    session.stop()
    try {
      await session.client.close(call)
    } catch (error) {
      if (!session.client.isOver) throw error
    }
  }

  /**
   * The client whose ZooKeeper session it is: what must end with the session goes over its connection.
   * @throws CoordinationError SESSION_LOST with that effect if the session is over
   */
  clientOf(id: string, effect: 'none' | 'unknown' = 'none'): ZkClient {
    const session = this.#open.get(id)
    if (session === undefined || session.client.isOver) throw sessionLost(effect)
    return session.client
  }

  /** Ends those that nobody has ended. Never rejects. */
  async close(call: Call): Promise<void> {
    const ending = [...this.#open.keys()].map((id) => this.endSession(id, call))
    await Promise.allSettled(ending)
    for (const client of [...this.#clients]) client.destroy()
  }

  /** Nobody knows of its session, which may have been opened all the same. */
  #abandon(client: ZkClient): void {
    client.close({ signal: new AbortController().signal, timeoutMs: client.timeoutMs }).then(
      () => undefined,
      () => client.destroy(),
    )
  }
}

class OwnSession {
  readonly client: ZkClient
  readonly #root: string
  readonly #proofs: Proofs
  readonly #timer: NodeJS.Timeout
  readonly #end = new AbortController()
  #checking = false

  constructor(client: ZkClient, root: string, tickMs: number) {
    this.client = client
    this.#root = root
    this.#proofs = new Proofs(tickMs, client.established)
    this.#timer = setInterval(() => this.#checkByTheWay(), client.timeoutMs * CHECK_PART)
  }

  grant(asked: number): SessionGrant {
    const { steady, clock } = this.#proofs.since
    const now = this.client.now()
    // of the two clocks the one that has gone further: the machine may have slept, or somebody set the time
    const age = Math.max(now.steady - steady, now.clock - clock)
    return { id: this.client.id, ttlMs: this.client.timeoutMs, skewMs: Math.max(0, age - (now.clock - asked)) }
  }

  async check(call: Call): Promise<void> {
    const sent = this.client.now()
    await agree(this.client, this.#root, call)
    this.#proofs.answered(sent, this.client.established, this.client.now().steady)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#end.abort()
  }

  #checkByTheWay(): void {
    if (this.#checking) return
    this.#checking = true
    const timeoutMs = this.client.timeoutMs * CHECK_LIMIT_PART
    this.check({ signal: this.#end.signal, timeoutMs })
      // a renewal says what is wrong
      .catch(() => undefined)
      .finally(() => (this.#checking = false))
  }
}

function refuseShorter(grantedMs: number, wishedMs: number): void {
  if (grantedMs >= wishedMs) return
  const message = `the servers' maxSessionTimeout of ${grantedMs} ms is less than the session timeout of ${wishedMs} ms`
  throw new CoordinationError('CONFIG', message, { backend: BACKEND, problems: [message] })
}
