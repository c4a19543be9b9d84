/**
 * A run: clients work at every node and watchers watch while faults are done to the cluster, one after another or some
 * at once; at the end everything is mended and all that was seen is judged.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkHistory } from '../checkers/check-history.ts'
import type { HistoryRecord, WatchSession } from '../checkers/history.ts'
import { type Random, seededRandom } from '../differential/random.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import { AppendWorkload } from './append-workload.ts'
import { complaints, disagreements, survivingLeases } from './final-state.ts'
import { KvWorkload } from './kv-workload.ts'
import { LeaseWorkload } from './lease-workload.ts'
import { RecordedClient } from './recorded-client.ts'
import { ALL_KEYS, RecordedWatcher } from './recorded-watcher.ts'
import { Recorder } from './recorder.ts'
import { RegisterWorkload } from './register-workload.ts'
import { summaryOf } from './run-summary.ts'
import { SetWorkload } from './set-workload.ts'
import { work, type Workload } from './workload.ts'

const REQUIRED = ['real-time', 'watch', 'total-order', 'register', 'set', 'list-append'] as const
const CATCH_UP_MS = 30_000
const RESTLESS_MS = 3_000

/** What a run is done to: a store that is one, wherever it is asked. */
export interface Subject {
  /** Where clients connect: 'host:port'. */
  readonly endpoints: readonly string[]
  /** Those whose logs must be free of complaints. */
  readonly servers: readonly TestServer[]
  /** Whose logs help to understand what happened. */
  readonly others?: readonly TestServer[]
  healNetwork(): void
  /** Resolves when all of them serve. */
  ready(): Promise<void>
}

export interface RunOptions {
  readonly seed: number
  /** For watchers to be told of the last revision. Default 30 s. */
  readonly catchUpMs?: number
}

export class FaultRun {
  readonly directory = mkdtempSync(join(tmpdir(), 'keta-faults-'))
  readonly recorder = new Recorder(join(this.directory, 'history.jsonl'))
  readonly random: Random
  readonly #subject: Subject
  readonly #catchUpMs: number
  readonly #leases = new LeaseWorkload()
  readonly #workloads: readonly Workload[]
  readonly #total: RecordedWatcher
  readonly #partial: RecordedWatcher
  readonly #clients: RecordedClient[] = []
  readonly #ending = new AbortController()
  #working: Promise<unknown> = Promise.resolve()

  /** On a fresh store: begins at once. */
  constructor(subject: Subject, { seed, catchUpMs = CATCH_UP_MS }: RunOptions) {
    this.#subject = subject
    this.#catchUpMs = catchUpMs
    this.random = seededRandom(seed)
    const { endpoints } = subject
    const ports = { recorder: this.recorder, endpoints }
    this.#total = new RecordedWatcher({ ...ports, random: seededRandom(seed + 1) }, [
      { name: 'all', ...ALL_KEYS, from: 1, prevKv: true },
    ])
    this.#partial = new RecordedWatcher({ ...ports, random: seededRandom(seed + 2), restlessMs: RESTLESS_MS }, [
      { name: 'kv', key: 'k/', rangeEnd: 'k0', from: 0 },
      { name: 'puts', key: 'k/03', rangeEnd: 'k/09', from: 0, noDelete: true, prevKv: true },
      { name: 'deletes', key: 'a', rangeEnd: 'z', from: 0, noPut: true },
      { name: 'one', key: 'k/05', from: 0 },
    ])
    this.#workloads = [
      new RegisterWorkload(),
      new SetWorkload(),
      new AppendWorkload(),
      new KvWorkload(() => this.#total.position),
      this.#leases,
    ]
    this.#begin(endpoints, seed)
  }

  /** In one line, for people: how much was done and what became of it. */
  get summary(): string {
    return summaryOf(this.recorder.history)
  }

  /** When all nodes serve again the clients end. @returns what is wrong; empty: nothing */
  async finish(): Promise<readonly string[]> {
    this.#subject.healNetwork()
    const state = await this.#finalState().catch((error: unknown) => [String(error)])
    await this.end()
    return [...this.#judged(), ...state, ...complaints(this.#subject.servers)]
  }

  /** Ends clients and watchers, in whatever state the cluster is. May be called twice. */
  async end(): Promise<void> {
    this.#ending.abort()
    await this.#working
    await Promise.all([this.#total.stop(), this.#partial.stop()])
    for (const client of this.#clients) client.close()
    this.recorder.flush()
  }

  /** Removes the files of a run that was fine; tells where those of another one are. */
  keep(found: readonly string[]): string {
    if (found.length === 0) {
      rmSync(this.directory, { recursive: true, force: true })
      return ''
    }
    this.recorder.flush()
    for (const server of [...this.#subject.servers, ...(this.#subject.others ?? [])]) {
      writeFileSync(join(this.directory, `${server.name}.log`), server.log())
    }
    return `history and logs are in ${this.directory}`
  }

  #begin(endpoints: readonly string[], seed: number): void {
    let workers = 0
    const jobs = endpoints.flatMap((endpoint) =>
      this.#workloads.flatMap((workload) =>
        Array.from({ length: workload.workersPerNode }, () => {
          const client = new RecordedClient(this.recorder, endpoint)
          this.#clients.push(client)
          return work(workload, { client, random: seededRandom(seed + 10 + ++workers) }, this.#ending.signal)
        }),
      ),
    )
    this.#working = Promise.all(jobs)
    this.#working.catch(() => undefined)
  }

  /** @throws if it is not reached */
  async #finalState(): Promise<readonly string[]> {
    await this.#subject.ready()
    this.#ending.abort()
    await this.#working
    const reader = new RecordedClient(this.recorder, this.#subject.endpoints[0] ?? '')
    this.#clients.push(reader)
    for (const workload of this.#workloads) await workload.finish?.(reader)
    const survivors = await survivingLeases(this.#subject.endpoints, this.#leases.longestMs)
    const { revision, found } = await disagreements(this.#subject.endpoints)
    const late = [this.#total, this.#partial].map((watcher) =>
      watcher.reach(revision, this.#catchUpMs).then(
        () => [],
        (error: unknown) => [String(error)],
      ),
    )
    return [...survivors, ...found, ...(await Promise.all(late)).flat()]
  }

  #judged(): readonly string[] {
    const { history } = this.recorder
    const anomalies = checkHistory(history, { require: REQUIRED, atMost: 3 })
    const told = anomalies.map(({ checker, kind, message }) => `${checker}: ${kind}: ${message}`)
    return [...told, ...this.#leases.violations(history.filter(isTotal))]
  }
}

/** For the clients to get on with their work between two faults. */
export function calm(random: Random): Promise<void> {
  return delay(500 + random.below(1_000))
}

function isTotal(record: HistoryRecord): record is WatchSession {
  return record.kind === 'watch' && record.watcher === 'all'
}
