/** The cases of brokers, on every backend. */
import { startCassandraHarness } from '../../backends/cassandra/harness.fixture.ts'
import { startEtcdHarness } from '../../backends/etcd/harness.fixture.ts'
import { startEmbeddedKetaHarness, startKetaHarness } from '../../backends/keta/harness.fixture.ts'
import { startServedHarness } from '../../backends/memory/harness.fixture.ts'
import { startZooKeeperHarness } from '../../backends/zookeeper/harness.fixture.ts'
import { type BackendHarness, conformance } from 'keta/conformance'
import { brokerCases } from './cases/index.ts'

/** A line for each; `KETA_BROKER_BACKENDS=memory` runs others than the four, and `npm run soak` all. */
const HARNESSES: Readonly<Record<string, () => Promise<BackendHarness & AsyncDisposable>>> = {
  memory: startServedHarness,
  etcd: startEtcdHarness,
  keta: startKetaHarness,
  'keta-embedded': startEmbeddedKetaHarness,
  zookeeper: startZooKeeperHarness,
  cassandra: startCassandraHarness,
}

const CASE_LIMIT_MS = 240_000
const QUICK = 'keta,etcd,cassandra,zookeeper'
const asked = process.env['KETA_BROKER_BACKENDS'] ?? QUICK
const chosen = process.env['KETA_SCALE'] === 'full' ? Object.keys(HARNESSES) : asked.split(',')

for (const name of chosen) {
  const start = HARNESSES[name]
  if (start === undefined) throw new Error(`there is no backend ${name}: ${Object.keys(HARNESSES).join(', ')}`)
  // what a backend cannot do of the catalogue says nothing about these cases
  const withoutLists = async () => {
    const { notRun: _notRun, expectedFailures: _expectedFailures, ...harness } = await start()
    return { ...harness, name: `brokers on ${harness.name}` }
  }
  describe(`brokers on ${name}`, () => {
    conformance(withoutLists, { cases: brokerCases, caseLimitMs: CASE_LIMIT_MS })
  })
}
