/**
 * The whole server under kill -9, over gRPC: clients write, watch and compact, the process is killed at random moments
 * (or asked to stop), and the next one on the same data must have all that any client was told, and nothing invented.
 */
import { expect } from 'chai'
import { type ServiceError, status } from '@grpc/grpc-js'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { KV, Lease, Maintenance } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from './api-client.fixture.ts'
import { type Random, seededRandom } from './differential/random.ts'
import { commitsOf, readHistory } from './history.fixture.ts'
import type { KetaProcess } from './keta-process.ts'
import { chosenSeed } from './kill-nine-harness.ts'
import { textOf, versionOf } from './replayed-store.fixture.ts'
import { errorsOf, kill, launch, type Served, served, temporaryDirectory } from './served.fixture.ts'
import { ALL, WatchReader } from './watch-reader.fixture.ts'
import { WriteLedger } from './write-ledger.fixture.ts'
import { LeaseBook, leavesUnknown, Writer } from './writers.fixture.ts'

const ROUNDS = Number(process.env['KETA_ROUNDS'] ?? (process.env['KETA_SCALE'] === 'full' ? 500 : 40))
/** The least that is allowed: so snapshots, new segments and dropped ones come in every round or two. */
const FLAGS = ['--snapshot-log-bytes=1MiB', '--segment-bytes=1MiB']
const WRITERS = 10
const LONGEST_ROUND_MS = 500
const START_MS = 300
/** A key that is never written again: so that never nothing is alive. */
const SENTINEL = 'sentinel'
/** The whole history that is left is read again every so many rounds. */
const REREAD_EVERY = 8

describe('the server under kill -9', () => {
  let directory: string
  before(() => {
    directory = temporaryDirectory('server-kill-nine')
  })
  after(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  const seed = chosenSeed()
  it(`has all that it acknowledged after each of ${ROUNDS} ends (KETA_SEED=${seed})`, async function () {
    this.timeout(ROUNDS * 5000 + 20_000)
    const run = new Run(directory, seededRandom(seed))
    for (let round = 0; round < ROUNDS; round++) {
      try {
        await run.round(round)
      } catch (error) {
        throw new Error(`round ${round}: ${String(error)}`, { cause: error })
      }
    }
    await run.finish()
    process.stdout.write(`      ${JSON.stringify({ ...run.ledger.totals, ...run.totals })}\n`)
    expect(run.ledger.totals.acknowledged).to.be.greaterThan(ROUNDS * 10)
    if (ROUNDS < 20) return
    expect(run.totals).to.satisfy((totals: Readonly<Record<string, number>>) =>
      Object.values(totals).every((total) => total > 0),
    )
    expect(readdirSync(join(directory, 'log')).sort()[0], 'the first segment was dropped').not.to.match(/^0+\.log$/)
  })
})

/** How a process ends. */
type End = 'SIGKILL' | 'SIGTERM' | 'SIGTERM and SIGKILL'

/** Of the rounds one after another. */
const ENDS: readonly End[] = ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM and SIGKILL', 'SIGKILL', 'SIGKILL']
const KILL_STARTING_EVERY = 5

class Run {
  readonly ledger = new WriteLedger()
  readonly totals = { killed: 0, killedStarting: 0, terminated: 0, killedStopping: 0, snapshots: 0, compactions: 0 }
  readonly #directory: string
  readonly #random: Random
  readonly #leases = new LeaseBook()
  readonly #writers: readonly Writer[]
  #term = 0n

  constructor(directory: string, random: Random) {
    this.#directory = directory
    this.#random = random
    this.#writers = Array.from({ length: WRITERS }, (_, index) => {
      const own = seededRandom(random.below(2 ** 31))
      return new Writer(`writer-${index}`, own, this.ledger, this.#leases)
    })
  }

  async round(round: number): Promise<void> {
    if (round % KILL_STARTING_EVERY === KILL_STARTING_EVERY - 1) await this.#killStarting()
    const server = await served(launch(this.#directory, FLAGS))
    const client = new ApiClient(server.endpoint)
    try {
      await this.#check(client, round % REREAD_EVERY === 0)
      if (round === 0) await this.#putSentinel(client)
      await this.#writeUntilEnd(server, client, ENDS[round % ENDS.length] ?? 'SIGKILL')
    } finally {
      client.close()
      await kill(server.process)
    }
    this.totals.snapshots += server.process.log.filter(({ msg }) => msg === 'saved snapshot').length
    expect(errorsOf(server.process)).to.deep.equal([])
  }

  /** Checks what the last round has left. */
  async finish(): Promise<void> {
    const server = await served(launch(this.#directory, FLAGS))
    const client = new ApiClient(server.endpoint)
    try {
      await this.#check(client, true)
    } finally {
      client.close()
      await kill(server.process)
    }
  }

  async #killStarting(): Promise<void> {
    const starting = launch(this.#directory, FLAGS)
    await delay(this.#random.below(START_MS))
    await kill(starting)
    this.totals.killedStarting++
  }

  async #putSentinel(client: ApiClient): Promise<void> {
    const change = { key: SENTINEL, value: Buffer.from('here'), lease: 0n }
    const write = this.ledger.ask('the sentinel', () => [change])
    const { header } = await client.call(KV.method.put, { key: Buffer.from(SENTINEL), value: change.value })
    this.ledger.acknowledge(write, Number(header?.revision), 1)
  }

  async #check(client: ApiClient, wholeHistory: boolean): Promise<void> {
    const { ledger } = this
    const all = await client.call(KV.method.range, ALL)
    expect(all.header?.raftTerm, 'the term has risen').to.satisfy((term: bigint) => term > this.#term)
    this.#term = all.header?.raftTerm ?? 0n
    const revision = Number(all.header?.revision)
    ledger.check(await readHistory(client, ledger.store.revision + 1, revision))
    expect(ledger.store.revision, 'as far as the history goes').to.equal(revision)

    const { hash, compactRevision } = await client.call(Maintenance.method.hashKV, {})
    ledger.checkCompaction(Number(compactRevision))
    const live = ledger.store.liveVersions()
    expect(all.kvs.map((kv) => textOf(versionOf(kv, 0)))).to.deep.equal(live.map(textOf))
    if (live.length > 0) expect(hash, 'HashKV').to.equal(ledger.store.hash())
    await this.#checkLeases(client)
    if (wholeHistory) await this.#checkWholeHistory(client)
  }

  async #checkLeases(client: ApiClient): Promise<void> {
    const { leases } = await client.call(Lease.method.leaseLeases, {})
    const present = new Set(leases.map(({ ID }) => ID))
    expect([...this.#leases.granted].filter((id) => !present.has(id))).to.deep.equal([], 'lost leases')
    expect([...this.#leases.revoked].filter((id) => present.has(id))).to.deep.equal([], 'leases that came back')
    const { store } = this.ledger
    for (const { lease } of store.liveVersions()) expect(lease === 0n || present.has(lease)).to.equal(true)
    for (const ID of present) {
      const { keys } = await client.call(Lease.method.leaseTimeToLive, { ID, keys: true })
      const attached = keys.map((key) => Buffer.from(key).toString('latin1')).sort()
      expect(attached, `keys of lease ${ID}`).to.deep.equal(store.attachedTo(ID))
    }
  }

  /** No gap and no double from the first revision that is left. */
  async #checkWholeHistory(client: ApiClient): Promise<void> {
    const { compactRevision, revision } = this.ledger.store
    const first = Math.max(compactRevision + 1, 2)
    const history = await readHistory(client, first, revision)
    const wanted = Array.from({ length: Math.max(0, revision - first + 1) }, (_, index) => first + index)
    expect(history.map((commit) => commit.revision)).to.deep.equal(wanted)
  }

  async #writeUntilEnd(server: Served, client: ApiClient, end: End): Promise<void> {
    const watch = WatchReader.on(client)
    watch.create({ ...ALL, startRevision: BigInt(this.ledger.store.revision + 1) })
    const ending = delay(this.#random.below(LONGEST_ROUND_MS)).then(() => this.#end(server.process, end))
    const errors = await Promise.all([this.#compact(client), ...this.#writers.map((writer) => writer.run(client))])
    await ending
    for (const commit of commitsOf(watch.events)) this.ledger.sawCommit(commit)
    watch.close()
    expect(errors.filter((error) => error !== undefined && !leavesUnknown(error))).to.deep.equal([])
    if (end === 'SIGTERM') expectClean(errors)
  }

  /** Of what has been checked: what has not must be readable after the end. */
  async #compact(client: ApiClient): Promise<ServiceError | undefined> {
    const revision = this.ledger.store.revision - this.#random.below(100)
    if (revision <= this.ledger.store.compactRevision) return undefined
    this.ledger.askCompaction(revision)
    try {
      await client.call(KV.method.compact, { revision: BigInt(revision), physical: this.#random.oneIn(2) })
      this.ledger.acknowledgeCompaction(revision)
      this.totals.compactions++
      return undefined
    } catch (error) {
      return error as ServiceError
    }
  }

  async #end(keta: KetaProcess, end: End): Promise<void> {
    if (end === 'SIGKILL') {
      await kill(keta)
      this.totals.killed++
      return
    }
    keta.kill('SIGTERM')
    if (end === 'SIGTERM') {
      const { code } = await keta.finished
      expect(code).to.equal(0)
      expect(keta.log.at(-1)?.msg).to.equal('stopped')
      this.totals.terminated++
    } else {
      await delay(this.#random.below(20))
      await kill(keta)
      this.totals.killedStopping++
    }
  }
}

/** To a client a server that stops is one that is not available: it may ask another. */
function expectClean(errors: readonly (ServiceError | undefined)[]): void {
  for (const error of errors) {
    if (error !== undefined) expect(error.code, error.message).to.equal(status.UNAVAILABLE)
  }
}
