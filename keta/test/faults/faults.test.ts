/**
 * Each fault by itself, then many at once. KETA_SEED repeats a run's choices; with KETA_SCALE=full faults go on for
 * KETA_HOURS (default 1).
 */
import { expect } from 'chai'
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { seeded } from '../../../conformance/kit/seeded.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { seededRandom } from '../differential/random.ts'
import { FaultCluster, type FaultKafka, startFaultKafka } from './fault-cluster.ts'
import { calm, FaultRun } from './fault-run.ts'
import { FAULTS } from './faults.ts'

const SEED = Number(process.env['KETA_SEED'] ?? randomInt(1, 1e9))
const IS_SOAK = process.env['KETA_SCALE'] === 'full'
const MINUTES = IS_SOAK ? 60 * Number(process.env['KETA_HOURS'] ?? 1) : 0.5
/** A soak is judged in parts: a history is held in memory. */
const MINUTES_PER_RUN = 10
const MINUTE_MS = 60_000
/** A successor can be there sooner than the first has run out; without one reads go another way. */
const READ_LEASES_MS = [2_500, 0, 500]
/** Between two faults of one sequence: sometimes all is well. */
const PAUSE_MOST_MS = 10_000

describe(`a cluster under faults (KETA_SEED=${SEED})`, function () {
  this.timeout(3 * MINUTE_MS)
  const chance = seeded(String(SEED))
  let kafka: FaultKafka | undefined

  before(async function () {
    kafka = await provideOrSkip(this, () => startFaultKafka(chance))
  })
  after(() => kafka?.stop())

  async function startCluster(name: string, flags: readonly string[] = []): Promise<FaultCluster> {
    if (kafka === undefined) throw new Error('Kafka did not start')
    return FaultCluster.start(kafka, chance, { name, flags })
  }

  describe('one after another', () => {
    let cluster: FaultCluster | undefined
    let run: FaultRun | undefined
    before(async () => {
      cluster = await startCluster('one-by-one')
      run = new FaultRun(cluster, { seed: SEED })
    })
    after(async () => {
      await run?.end()
      await cluster?.stop()
    })

    for (const { name, disturb, endsReign = false } of FAULTS) {
      it(`serves again after ${name}`, async () => {
        if (cluster === undefined || run === undefined) throw new Error('the cluster did not start')
        await calm(run.random)
        const before = await cluster.epoch()
        await disturb(cluster, run.random)
        await cluster.ready()
        if (endsReign) expect(await cluster.epoch(), 'epoch').to.be.greaterThan(before)
      })
    }

    it('has lost nothing, repeated nothing and told nobody anything else', () => judge(run))
  })

  describe('many at once', () => {
    for (let index = 0; index < MINUTES / MINUTES_PER_RUN; index++) {
      const minutes = Math.min(MINUTES_PER_RUN, MINUTES - index * MINUTES_PER_RUN)
      const lease = READ_LEASES_MS[index % READ_LEASES_MS.length] ?? 0
      it(`loses nothing in ${minutes} minutes of them, with a read lease of ${lease} ms`, async function () {
        this.timeout((2 * minutes + 3) * MINUTE_MS)
        const cluster = await startCluster(`at-once-${index}`, [`--read-lease=${lease}ms`])
        const run = new FaultRun(cluster, { seed: SEED + index })
        try {
          const end = performance.now() + minutes * MINUTE_MS
          const trouble = await atOnce(cluster, run, end).then(
            () => [],
            (error: unknown) => [String(error)],
          )
          await judge(run, trouble)
        } finally {
          await run.end()
          await cluster.stop()
        }
      })
    }
  })
})

/** @param trouble of doing the faults. */
async function judge(run: FaultRun | undefined, trouble: readonly string[] = []): Promise<void> {
  if (run === undefined) throw new Error('the run did not begin')
  const found = [...trouble, ...(await run.finish())]
  const where = run.keep(found)
  process.stderr.write(`      ${run.summary}\n`)
  expect(found, where).to.deep.equal([])
}

/** Nodes, brokers and network each have their own sequence of faults. */
async function atOnce(cluster: FaultCluster, run: FaultRun, end: number): Promise<void> {
  const sequences = (['nodes', 'brokers', 'network'] as const).map(async (to, index) => {
    const random = seededRandom(run.random.below(1e9) + index)
    const faults = FAULTS.filter((fault) => fault.to === to)
    while (performance.now() < end) {
      await delay(random.below(PAUSE_MOST_MS))
      await random.pick(faults).disturb(cluster, random)
    }
  })
  await Promise.all(sequences)
}
