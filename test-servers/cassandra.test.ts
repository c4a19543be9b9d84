import { existsSync } from 'node:fs'
import { type Client, types } from 'cassandra-driver'
import { expect } from 'chai'
import { clientOf } from './cassandra-ready.ts'
import {
  ensureCassandra,
  startCassandra,
  SUPERUSER,
  type CassandraCluster,
  type CassandraOptions,
} from './cassandra.ts'
import { acceptsConnections } from './ports.ts'
import { provideOrSkip, type TestServer } from './server.ts'

/** Nodes that have just started, on a machine that is busy. */
const PATIENCE_MS = 30_000
const PATIENT = { cas_contention_timeout: '10s', write_request_timeout: '10s' }

describe('a real Cassandra as a test server', function () {
  this.timeout(600_000)
  const clusters: CassandraCluster[] = []

  before(async function () {
    await provideOrSkip(this, ensureCassandra)
  })

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()))
  })

  async function start(options: CassandraOptions = {}): Promise<readonly TestServer[]> {
    const cluster = await startCassandra({ ...options, settings: { ...PATIENT, ...options.settings } })
    clusters.push(cluster)
    return cluster.nodes
  }

  it('keeps its endpoint and data over kill and restart, and leaves nothing behind', async () => {
    const [node] = await start()
    if (!node) throw new Error('no node')
    await using(node, async (client) => {
      await createTable(client, 1)
      for (const letter of 'abc') await insert(client, letter)
    })
    await node.kill()
    expect(await acceptsConnections(node.endpoint)).to.equal(false)
    await node.restart()
    await using(node, async (client) => {
      await insert(client, 'd')
      expect(await letters(client)).to.deep.equal(['a', 'b', 'c', 'd'])
    })
    await clusters[0]?.stop()
    await clusters[0]?.stop()
    expect(existsSync(node.dataDir)).to.equal(false)
    expect(await acceptsConnections(node.endpoint)).to.equal(false)
  })

  it('of three nodes goes on without one of them', async () => {
    const [one, two, three] = await start({ nodes: 3 })
    if (!one || !two || !three) throw new Error('not three nodes')
    await using(one, async (client) => {
      await createTable(client, 3)
      await insert(client, 'a')
    })
    await one.kill()
    await clusters[0]?.ready()
    await using(two, (client) => insert(client, 'b'))
    await one.restart()
    await clusters[0]?.ready()
    await three.kill()
    await clusters[0]?.ready()
    await using(one, async (client) => {
      await insert(client, 'c')
      await answered(() => letters(client))
      expect(await letters(client)).to.deep.equal(['a', 'b', 'c'])
    })
  })

  it('stands beside other clusters', async () => {
    const [[one], [other]] = await Promise.all([start(), start()])
    if (!one || !other) throw new Error('no node')
    await using(one, (client) => createTable(client, 1))
    await using(other, (client) => createTable(client, 1))
    expect(one.endpoint).to.not.equal(other.endpoint)
  })

  it('takes only those who can say who they are, for what they may do', async () => {
    const [node] = await start({ accessControl: true })
    if (!node) throw new Error('no node')
    const guest = { username: 'guest', password: 'welcome' }
    await using(node, (client) => createTable(client, 1), SUPERUSER)
    await using(
      node,
      (client) => execute(client, `CREATE ROLE guest WITH PASSWORD = 'welcome' AND LOGIN = true`),
      SUPERUSER,
    )
    expect(await failure(using(node, (client) => insert(client, 'a'), guest))).to.match(/no MODIFY permission/)
    const guess = { ...guest, password: 'guess' }
    expect(await failure(using(node, (client) => insert(client, 'a'), guess))).to.match(/AuthenticationError/)
    expect(await failure(using(node, (client) => insert(client, 'a')))).to.match(/AuthenticationError|requires auth/i)
  })

  it('has the clock that it is given, before and while it runs', async () => {
    const [node] = await start({ clockAheadMs: [3_600_000] })
    if (!node) throw new Error('no node')
    const clockAheadMs = async (): Promise<number> => {
      const { rows } = await using(node, (client) =>
        client.execute('SELECT to_unix_timestamp(now()) AS ms FROM system.local'),
      )
      return Number(rows[0]?.['ms']) - Date.now()
    }
    expect(await clockAheadMs()).to.be.within(3_500_000, 3_700_000)
    clusters[0]?.setClockAhead(0, 7_200_000)
    const deadline = performance.now() + 30_000
    while ((await clockAheadMs()) < 3_700_000 && performance.now() < deadline);
    expect(await clockAheadMs()).to.be.within(7_100_000, 7_300_000)
  })

  it('says why it did not start', async () => {
    expect(await failure(start({ settings: { no_such_setting: 1 } }))).to.match(/no_such_setting/)
  })
})

async function using<T>(
  { endpoint }: TestServer,
  work: (client: Client) => Promise<T>,
  credentials?: typeof SUPERUSER,
): Promise<T> {
  const client = clientOf(endpoint, credentials, PATIENCE_MS)
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.shutdown()
  }
}

async function createTable(client: Client, copies: number): Promise<void> {
  const replication = `{'class': 'SimpleStrategy', 'replication_factor': ${copies}}`
  await execute(client, `CREATE KEYSPACE letters WITH replication = ${replication}`)
  await execute(client, 'CREATE TABLE letters.all (id text PRIMARY KEY)')
}

function insert(client: Client, letter: string): Promise<unknown> {
  return execute(client, `INSERT INTO letters.all (id) VALUES ('${letter}') IF NOT EXISTS`)
}

async function letters(client: Client): Promise<readonly string[]> {
  const { rows } = await execute(client, 'SELECT id FROM letters.all')
  return rows.map((row) => String(row['id'])).sort()
}

function execute(client: Client, statement: string): Promise<types.ResultSet> {
  return client.execute(statement, [], { consistency: types.consistencies.quorum })
}

/** Reads wait for the answer of a node that was killed until it is taken for dead. */
async function answered(read: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 60_000
  while ((await failure(read())) !== 'it worked') {
    if (performance.now() > deadline) throw new Error('no answer after 60 s')
  }
}

async function failure(outcome: Promise<unknown>): Promise<string> {
  return outcome.then(
    () => 'it worked',
    (error: unknown) => String(error),
  )
}
