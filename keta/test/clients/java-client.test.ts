/** jetcd: whatever it can do with a real etcd, it can do with Keta. */
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { type Outcome, runClient } from './client-program.ts'
import { ensureJavaClient } from './java-client.ts'

/** Of the program, in the order in which it runs them on one server; what each is about. */
const SCENARIOS: Readonly<Record<string, string>> = {
  kv: 'reads, writes, pages and compacts',
  txn: 'commits transactions inside of transactions',
  watch: 'watches a prefix, the past, and what is compacted',
  lease: 'keeps a lease alive, and sees another one end',
  lock: 'locks, waits for a lock, and gets that of a lease which ended',
  election: 'campaigns, proclaims, observes and resigns',
  maintenance: 'asks for status, hashes, defragmentation and a whole snapshot',
  cluster: 'lists the members',
  resume: 'goes on with a watch over restarts of the server',
  auth: 'logs in with a password, and again when its token is not good any more',
}

describe(`jetcd, etcd's Java client`, function () {
  this.timeout(120_000)
  let servers: readonly TestServer[] = []
  let outcomes: readonly (readonly Outcome[])[] = []

  before(async function () {
    this.timeout(600_000)
    const words = await provideOrSkip(this, ensureJavaClient)
    await provideOrSkip(this, ensureEtcd)
    servers = await Promise.all([startEtcd({ fsync: false }), startKeta({ flags: ['--bcrypt-cost=4'] })])
    outcomes = await Promise.all(servers.map((server) => runAll(server, words)))
  })
  after(() => Promise.all(servers.map((server) => server.stop())))

  for (const [scenario, what] of Object.entries(SCENARIOS)) {
    it(what, () => {
      const [etcd, keta] = outcomes.map((all) => all.find(({ name }) => name === scenario))
      const expected = { name: scenario, ok: true }
      expect({ etcd, keta }).to.deep.equal({ etcd: expected, keta: expected })
    })
  }
})

function runAll(server: TestServer, words: readonly string[]): Promise<readonly Outcome[]> {
  return runClient('java', [...words, server.endpoint, ...Object.keys(SCENARIOS)], async (wish) => {
    if (wish === 'crash') await server.kill()
    await server.restart()
  })
}
