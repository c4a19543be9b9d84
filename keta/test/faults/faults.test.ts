/**
 * Each fault by itself, then many at once. KETA_SEED repeats a run's choices; with KETA_SCALE=full faults follow one
 * another for KETA_FAULT_MINUTES (60).
 */
import { expect } from 'chai'
import { randomInt } from 'node:crypto'
import { seeded } from '../../../conformance/kit/seeded.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { calm, FaultRun } from './fault-run.ts'
import { FaultCluster, type FaultKafka, startFaultKafka } from './fault-cluster.ts'
import { FAULTS } from './faults.ts'

const SEED = Number(process.env['KETA_SEED'] ?? randomInt(1, 1e9))

describe(`a cluster under faults (seed ${SEED})`, function () {
  this.timeout(180_000)
  const chance = seeded(String(SEED))
  let kafka: FaultKafka | undefined
  let cluster: FaultCluster
  let run: FaultRun

  before(async function () {
    kafka = await provideOrSkip(this, () => startFaultKafka(chance))
    cluster = await FaultCluster.start(kafka, chance, { name: 'faults' })
    run = new FaultRun(cluster, SEED)
  })
  after(async () => {
    await cluster?.stop()
    await kafka?.stop()
  })

  for (const [name, fault] of Object.entries(FAULTS)) {
    it(`serves again after ${name}`, async () => {
      await calm(run.random)
      await fault(cluster, run.random)
      await cluster.keta.ready()
    })
  }

  it('has lost nothing, repeated nothing and told nobody anything else', async () => {
    const found = await run.finish()
    expect(found, run.keep(found)).to.deep.equal([])
  })
})
