/**
 * Sessions. Each is a row of the table `session` that its owner renews by counting `beat` up, in a conditional write:
 * whoever wants to end it does so under the condition that `beat` has stood still, so that one of the two fails. The
 * row's time to live only clears up. That a session is there for others to see, and what it holds, stands in the table
 * `store`, in the one order of all changes.
 *
 * After each renewal the owner also leaves its beat in the table `beat`, in plain writes: there observers see the beats
 * of all sessions with one read (observer.ts).
 */
import { randomUUID } from 'node:crypto'
import type { types } from 'cassandra-driver'
import type { Call, SessionGrant, SessionStore } from '../shared/driver.ts'
import { MIN_TTL_MS } from './capabilities.ts'
import { forgetSession, openSession } from './change.ts'
import type { Cluster } from './cluster.ts'
import type { Committer } from './committer.ts'

/** How a session looks to who wants to end it. */
export type Ending = 'ended' | { readonly beat: bigint }

interface State {
  readonly beat: bigint
  readonly ttlMs: number
  readonly isOver: boolean
}

/** What is left of a session is forgotten after so many times its time to live, and not before a minute. */
const KEPT_TTLS = 3
const KEPT_SECONDS = 60

export class Sessions implements SessionStore {
  readonly #cluster: Cluster
  readonly #committer: Committer
  readonly #id: string
  readonly #session: string
  readonly #beat: string
  /** What this driver has opened and not ended. */
  readonly #opened = new Set<string>()
  /** As of the last renewal that was acknowledged, or refused because the session is over. */
  readonly #beats = new Map<string, State>()

  /** @param id of the cluster whose sessions these are. */
  constructor(cluster: Cluster, committer: Committer, id: string) {
    this.#cluster = cluster
    this.#committer = committer
    this.#id = id
    this.#session = `"${cluster.settings.keyspace}".session`
    this.#beat = `"${cluster.settings.keyspace}".beat`
  }

  /** A session of this driver; an observer need not watch it. */
  isOwn(id: string): boolean {
    return this.#opened.has(id)
  }

  /** Lets the statement be prepared that is needed while servers hang. @throws CoordinationError */
  async prepare(call: Call): Promise<void> {
    // no beat is less than 0
    const nobody = { beat: -1n, ttlMs: 0, isOver: false }
    await this.#cas(this.#renewal('', nobody, nobody), call)
  }

  /** Whoever opens another one has lost the one before, and need not wait for its end. */
  async openSession(wishedMs: number, call: Call): Promise<SessionGrant> {
    const ttlMs = Math.max(wishedMs, MIN_TTL_MS)
    const earlier = [...this.#opened]
    for (const id of earlier) if (this.#beats.get(id)?.isOver !== true) await this.#stop(id, undefined, call)
    const id = randomUUID()
    this.#opened.add(id)
    const state = { beat: 0n, ttlMs, isOver: false }
    await this.#cas(this.#insert(id, state), call)
    this.#showBeat(id, state, call)
    await this.#committer.submit(openSession(id, ttlMs, earlier), call)
    for (const other of earlier) this.#forget(other)
    this.#beats.set(id, state)
    return { id, ttlMs }
  }

  async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
    let state = this.#beats.get(id) ?? (await this.#read(id, call))
    for (;;) {
      if (state === undefined) return undefined
      if (state.isOver) {
        this.#beats.set(id, state)
        return undefined
      }
      const next: State = { ...state, beat: state.beat + 1n }
      const found = await this.#cas(this.#renewal(id, state, next), call)
      if (found === 'applied') {
        this.#beats.set(id, next)
        this.#showBeat(id, next, call)
        return { id, ttlMs: next.ttlMs }
      }
      // an earlier attempt of ours has arrived after all; this call's time counts only for a renewal of its own
      state = found && { ...found, ttlMs: state.ttlMs }
    }
  }

  async endSession(id: string, call: Call): Promise<void> {
    await this.#stop(id, undefined, call)
    await this.#committer.submit(forgetSession(id), call)
    this.#forget(id)
  }

  /**
   * Ends a session if its beat is what was seen of it: from then on nobody renews it.
   * @param seen undefined: no beat of it was seen.
   */
  async endIfStill(id: string, seen: bigint | undefined, call: Call): Promise<Ending> {
    // no session has the beat -1: what there is of one is told
    const ending = await this.#stop(id, { beat: seen ?? -1n }, call)
    if (ending === 'ended') await this.#committer.submit(forgetSession(id), call)
    return ending
  }

  /** The beats of all sessions, as far as they are shown. */
  async beats(call: Call): Promise<ReadonlyMap<string, bigint>> {
    const query = `SELECT session, beat FROM ${this.#beat} WHERE cluster = ?`
    const { rows } = await this.#cluster.read({ query, params: [this.#id] }, 'plain', call)
    return new Map(rows.map((row) => [String(row['session']), row['beat'] as bigint]))
  }

  #forget(id: string): void {
    this.#opened.delete(id)
    this.#beats.delete(id)
  }

  /** @param only if its beat is this one; undefined: whatever it is. */
  async #stop(id: string, only: { readonly beat: bigint } | undefined, call: Call): Promise<Ending> {
    let beat = only?.beat ?? this.#beats.get(id)?.beat ?? 0n
    for (;;) {
      const query =
        `UPDATE ${this.#session} USING TTL ? SET beat = ?, ttl_ms = ?, over = true ` +
        'WHERE cluster = ? AND id = ? IF beat = ? AND over = false'
      const params = [KEPT_SECONDS, beat, 0n, this.#id, id, beat]
      const found = await this.#cas({ query, params }, call)
      if (found === 'applied' || found?.isOver === true) return 'ended'
      if (found === undefined) {
        // should it come back with the clock of a server, it comes back as one that is over
        const created = await this.#cas(this.#insert(id, { beat: 0n, ttlMs: 0, isOver: true }), call)
        if (created === 'applied' || created?.isOver === true) return 'ended'
      } else if (only !== undefined) {
        return { beat: found.beat }
      }
      beat = found?.beat ?? 0n
    }
  }

  /** Nobody waits for it: who does not see it asks for the session itself before ending it. */
  #showBeat(id: string, { beat, ttlMs }: State, call: Call): void {
    // the beat is its own timestamp: no clock decides which of two is the later one
    const query = `INSERT INTO ${this.#beat} (cluster, session, beat) VALUES (?, ?, ?) USING TTL ? AND TIMESTAMP ?`
    const params = [this.#id, id, beat, keptFor(ttlMs), beat + 1n]
    this.#cluster.write({ query, params }, call).catch(() => undefined)
  }

  #insert(id: string, { beat, ttlMs, isOver }: State) {
    const query =
      `INSERT INTO ${this.#session} (cluster, id, beat, ttl_ms, over) VALUES (?, ?, ?, ?, ?) ` +
      'IF NOT EXISTS USING TTL ?'
    return { query, params: [this.#id, id, beat, BigInt(Math.ceil(ttlMs)), isOver, keptFor(ttlMs)] }
  }

  #renewal(id: string, before: State, { beat, ttlMs }: State) {
    const query =
      `UPDATE ${this.#session} USING TTL ? SET beat = ?, ttl_ms = ?, over = false ` +
      'WHERE cluster = ? AND id = ? IF beat = ? AND over = false'
    return { query, params: [keptFor(ttlMs), beat, BigInt(Math.ceil(ttlMs)), this.#id, id, before.beat] }
  }

  async #read(id: string, call: Call): Promise<State | undefined> {
    const query = `SELECT beat, ttl_ms, over FROM ${this.#session} WHERE cluster = ? AND id = ?`
    const { rows } = await this.#cluster.read({ query, params: [this.#id, id] }, 'serial', call)
    return stateOf(rows[0])
  }

  /** @returns what stands there instead; undefined: nothing. */
  async #cas(statement: { query: string; params: unknown[] }, call: Call): Promise<'applied' | State | undefined> {
    const result = await this.#cluster.write(statement, call)
    return result.wasApplied() ? 'applied' : stateOf(result.rows[0])
  }
}

function stateOf(row: types.Row | undefined): State | undefined {
  const [beat, ttlMs, over] = [row?.['beat'], row?.['ttl_ms'], row?.['over']] as (bigint | boolean | null | undefined)[]
  if (typeof beat !== 'bigint') return undefined
  return { beat, ttlMs: Number(ttlMs ?? 0n), isOver: over === true }
}

/** Seconds. */
function keptFor(ttlMs: number): number {
  return Math.max(KEPT_SECONDS, Math.ceil((KEPT_TTLS * ttlMs) / 1000))
}
