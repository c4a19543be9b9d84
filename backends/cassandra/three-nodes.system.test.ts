import { expect } from 'chai'
import { ensureCassandra, startCassandra, type CassandraCluster } from '../../test-servers/cassandra.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { call, commitOf, write } from '../shared/driver-calls.fixture.ts'
import { Drivers, propertiesOf } from './opened.fixture.ts'

const PATIENCE_MS = 10_000
const ROUNDS = 4

describe('the driver on three real Cassandra nodes', function () {
  this.timeout(120_000)
  const drivers = new Drivers()
  let cluster: CassandraCluster

  before(async function () {
    await provideOrSkip(this, ensureCassandra)
    cluster = await startCassandra({ nodes: 3 })
  })
  afterEach(() => drivers.close())
  after(() => cluster.stop())

  it('makes its tables once, and waits until all nodes know them, also if many start at once', async () => {
    const endpoints = cluster.nodes.map(({ endpoint }) => endpoint)
    for (let round = 0; round < ROUNDS; round++) {
      const properties = { ...propertiesOf(cluster, endpoints), 'plugin.cassandra.keyspace': `at_once_${round}` }
      const all = await Promise.all(Array.from({ length: 6 }, () => drivers.open(properties)))
      const outcomes = await Promise.all(
        all.map(async (one, at) => {
          const { id } = await one.openSession(60_000, call(PATIENCE_MS))
          return one.commit(commitOf(id, 1, write(`/${at}`, 'x')), call(PATIENCE_MS))
        }),
      )
      expect(outcomes.filter(({ committed }) => committed)).to.have.lengthOf(6)
    }
  })
})
