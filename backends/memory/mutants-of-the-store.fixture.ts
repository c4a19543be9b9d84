/** Mutants that break what the store promises: sessions, seats, commits, versions, order. */
import { type Entry, isCoordinationError, type Version } from '../../spi/index.ts'
import type {
  Call,
  Commit,
  CommitOutcome,
  Follow,
  FollowSink,
  Holder,
  ReadCall,
  ScanPage,
  ScanRange,
  Seat,
  Seated,
  SessionGrant,
} from '../shared/driver.ts'
import { ForwardingAccess, ForwardingDriver } from './forwarding.fixture.ts'
import { mutantOfDriver, mutantOfStore } from './mutant.fixture.ts'
import type { Args, Operation, Result } from './operations.ts'
import { rangeOfSeat } from './store.ts'
import type { Told, WatchQuery } from './store-host.ts'
import type { Range, Row } from './tables.ts'

/** Renewing is no compare-and-set: whoever uses a dead session brings it back to life. */
export const RenewsTheDead = mutantOfStore(
  (inner) =>
    new (class extends ForwardingAccess {
      readonly #ttls = new Map<string, number>()

      override async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
        const [id, ttlMs] = args as Args<'openSession'>
        if (operation === 'openSession') this.#ttls.set(id, ttlMs)
        if (operation === 'renewSession') await this.#revive(id, call)
        if (operation === 'takeSeat') await this.#revive((args as Args<'takeSeat'>)[2].session, call)
        return super.ask(operation, args, call)
      }

      async #revive(id: string, call: Call): Promise<void> {
        await super.ask('openSession', [id, this.#ttls.get(id) ?? 0], call)
      }
    })(inner),
)

/** The lease is believed to hold for half a ttl longer than it does. */
export const DeadlineTooLate = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
        return tooLate(await super.openSession(ttlMs, call))
      }

      override async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
        const grant = await super.renewSession(id, call)
        return grant && tooLate(grant)
      }
    })(inner),
)

function tooLate(grant: SessionGrant): SessionGrant {
  return { ...grant, skewMs: -grant.ttlMs / 2 }
}

/** The lease is counted from the arrival of the reply, as many clients do. */
export const DeadlineFromTheReply = mutantOfDriver(
  (inner, { clock }) =>
    new (class extends ForwardingDriver {
      override openSession(ttlMs: number, call: Call): Promise<SessionGrant> {
        return this.#fromReply(super.openSession(ttlMs, call))
      }

      override async renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
        const sentAt = clock.now()
        const grant = await super.renewSession(id, call)
        return grant && { ...grant, skewMs: sentAt - clock.now() }
      }

      async #fromReply(opening: Promise<SessionGrant>): Promise<SessionGrant> {
        const sentAt = clock.now()
        const grant = await opening
        return { ...grant, skewMs: sentAt - clock.now() }
      }
    })(inner),
)

/** A watch that broke off goes on with what happens from then on, without what it has missed. */
export const LostWatchGap = mutantOfStore(
  (inner) =>
    new (class extends ForwardingAccess {
      readonly #watched = new WeakSet<AbortSignal>()

      override async watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
        const { revision } = await this.inner.ask('page', [{ ...query, limit: 1, at: undefined }], forAMoment(signal))
        const start = this.#watched.has(signal) ? revision + 1 : from
        this.#watched.add(signal)
        return super.watch(query, start, told, signal)
      }
    })(inner),
)

/** A watch that broke off is not begun again: whoever listens hears nothing more, and does not know. */
export const WatchesOnce = mutantOfStore(
  (inner) =>
    new (class extends ForwardingAccess {
      override async watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
        try {
          return await super.watch(query, from, told, signal)
        } catch (error) {
          if (!isCoordinationError(error, 'CONNECTION')) throw error
          return aborted(signal)
        }
      }
    })(inner),
)

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    signal.throwIfAborted()
  })
}

/** Versions are numbers of a key's own, which begin again when it is created again. */
export const VersionsRestart = mutantOfStore(
  (inner) =>
    new (class extends ForwardingAccess {
      override async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
        if (operation === 'page') return renumbered(await super.ask('page', args as Args<'page'>, call)) as Result<O>
        if (operation !== 'commit') return super.ask(operation, args, call)
        const [cluster, commit] = args as Args<'commit'>
        const changes = await Promise.all(
          commit.changes.map(async (change) => {
            const real = await this.#revisionOf(cluster, change.key, change.expect, call)
            return real === undefined ? change : { ...change, expect: real as Version }
          }),
        )
        const outcome = await super.ask('commit', [cluster, { ...commit, changes }], call)
        if (!outcome.committed || outcome.written.length !== 1) return outcome as Result<O>
        const [row] = await this.#rows(cluster, outcome.written[0] ?? '', call)
        return { ...outcome, revision: row === undefined ? 1 : numberOf(row) } as Result<O>
      }

      async #revisionOf(cluster: string, key: string, version: string, call: Call): Promise<string | undefined> {
        const [row] = /^\d+$/.test(version) ? await this.#rows(cluster, key, call) : []
        return row !== undefined && String(numberOf(row)) === version ? String(row.revision) : undefined
      }

      async #rows(cluster: string, key: string, call: Call): Promise<readonly Row[]> {
        const range: Range = { table: JSON.stringify([cluster, 'values']), from: key, to: `${key}\0` }
        return (await this.inner.ask('page', [{ ...range, limit: 1, keysOnly: true, at: undefined }], call)).rows
      }
    })(inner),
)

function numberOf(row: Row): number {
  return row.revision - row.since + 1
}

function renumbered<P extends { readonly rows: readonly Row[] }>(page: P): P {
  return { ...page, rows: page.rows.map((row) => ({ ...row, revision: numberOf(row) })) }
}

/** Each term of a seat has the token 1: a counter in a record that goes with its owner. */
export const TokensRestart = mutantOfStore(
  (inner) =>
    new (class extends ForwardingAccess {
      override async ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
        if (operation === 'takeSeat') {
          return { ...(await super.ask('takeSeat', args as Args<'takeSeat'>, call)), since: 1 } as Result<O>
        }
        if (operation === 'amendSeat' || operation === 'emptySeat') {
          const [cluster, seat, , ...rest] = args as Args<'amendSeat'>
          const real = await this.#tokenOf(cluster, seat, call)
          return super.ask(operation, [cluster, seat, real, ...rest] as unknown as Args<O>, call)
        }
        if (operation === 'commit') return this.#commit(args as Args<'commit'>, call) as Promise<Result<O>>
        const result = await super.ask(operation, args, call)
        if (operation !== 'page') return result
        const page = result as Result<'page'>
        return { ...page, rows: page.rows.map(first) } as Result<O>
      }

      override watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
        const toldFirst: Told = (changes, revision) =>
          told(new Map([...changes].map(([key, row]) => [key, row && first(row)])), revision)
        return super.watch(query, from, toldFirst, signal)
      }

      async #commit([cluster, commit]: Args<'commit'>, call: Call): Promise<Result<'commit'>> {
        const { fence } = commit
        if (fence?.token !== 1n) return super.ask('commit', [cluster, commit], call)
        const token = await this.#tokenOf(cluster, { kind: 'leader', service: fence.service }, call)
        const outcome = await super.ask('commit', [cluster, { ...commit, fence: { ...fence, token } }], call)
        return outcome.committed || outcome.token !== token ? outcome : { ...outcome, token: 1n }
      }

      async #tokenOf(cluster: string, seat: Seat, call: Call): Promise<bigint> {
        const query = { ...rangeOfSeat(cluster, seat), limit: 1, keysOnly: true, at: undefined }
        const { rows } = await this.inner.ask('page', [query], call)
        return BigInt(rows[0]?.since ?? 0)
      }
    })(inner),
)

function first(row: Row): Row {
  return row.occupant === undefined ? row : { ...row, since: 1 }
}

/** The fence is not looked at. */
export const FenceIgnored = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
        const outcome = await super.commit({ ...commit, fence: undefined }, call)
        return outcome.committed ? outcome : { ...outcome, token: commit.fence?.token }
      }
    })(inner),
)

/** A commit of several keys is several commits. */
export const TransactionsInPieces = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
        const versions = new Map<string, Version>()
        for (const [at, change] of commit.changes.entries()) {
          const id = { ...commit.id, slot: commit.id.slot * 1_000 + 1_000 + at }
          const outcome = await super.commit({ ...commit, id, changes: [change] }, call)
          if (!outcome.committed) return outcome
          for (const [key, version] of outcome.versions) versions.set(key, version)
        }
        return { committed: true, versions }
      }
    })(inner),
)

/** After a lost reply it looks whether the key is there, and takes its own write for another's. */
export const OwnWriteIsAConflict = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome> {
        const read: ReadCall = { ...call, consistency: 'linearizable' }
        const found = new Map<string, Entry | undefined>()
        for (const { key } of commit.changes) found.set(key, await this.inner.read(key, read))
        return { committed: false, found, token: commit.fence?.token }
      }
    })(inner),
)

/** What is there under the own id is taken for the own. */
export const OldRecordIsOurs = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async takeSeat(seat: Seat, holder: Holder, call: Call): Promise<Seated> {
        const seated = await super.takeSeat(seat, holder, call)
        return seated.id === holder.id ? { ...seated, nonce: holder.nonce } : seated
      }
    })(inner),
)

/** Nothing is given back: the others wait until the lease ends. */
export const LeasesLeftBehind = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async endSession(): Promise<void> {
        // left to its end
      }

      override async emptySeat(): Promise<void> {
        // left to its end
      }
    })(inner),
)

/** What was read once is good for a while. */
export const StaleReads = mutantOfDriver(
  (inner, { clock }) =>
    new (class extends ForwardingDriver {
      readonly #cache = new Map<string, { readonly entry: Entry | undefined; readonly until: number }>()

      override async read(key: string, call: ReadCall): Promise<Entry | undefined> {
        const cached = this.#cache.get(key)
        if (cached !== undefined && clock.now() < cached.until) return cached.entry
        const entry = await super.read(key, call)
        this.#cache.set(key, { entry, until: clock.now() + 1_000 })
        return entry
      }
    })(inner),
)

/** Pages are ordered as JavaScript compares text. */
export const ScanByUtf16 = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
        const page = await super.scan(range, call)
        return { ...page, entries: page.entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
      }
    })(inner),
)

/** Each page shows its own moment. */
export const ScanOfManyMoments = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
        return super.scan({ ...range, at: undefined }, call)
      }
    })(inner),
)

/** A namespace is whatever begins with its name. */
export const PrefixesConfused = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override scan(range: ScanRange, call: ReadCall): Promise<ScanPage> {
        const { from, to } = range
        const isNamespace = from.endsWith('/') && from !== '/' && to === `${from.slice(0, -1)}0`
        return super.scan(
          isNamespace ? { ...range, from: from.slice(0, -1), to: `${from.slice(0, -1)}\uffff` } : range,
          call,
        )
      }
    })(inner),
)

/** Only the children themselves are followed, not those that are implied by what lies below them. */
export const ImpliedChildrenMissed = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override followNamespace(namespace: string, sink: FollowSink<Entry>): Follow {
        const depth = namespace === '/' ? 1 : namespace.split('/').length
        const direct = <T>(all: ReadonlyMap<string, T>) =>
          new Map([...all].filter(([key]) => key.split('/').length - 1 === depth))
        return super.followNamespace(namespace, {
          reset: (all) => sink.reset(direct(all)),
          changed: (changes) => sink.changed(direct(changes)),
          failed: (error) => sink.failed(error),
        })
      }
    })(inner),
)

function forAMoment(signal: AbortSignal): Call {
  return { signal, timeoutMs: 1_000 }
}
