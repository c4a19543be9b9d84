/** etcd's own Go client and its recipes: whatever they can do with a real etcd, they can do with Keta. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials } from '@grpc/grpc-js'
import { expect } from 'chai'
import { makeCertificates } from '../../../test-servers/certificates.ts'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { type EtcdCluster, startEtcdCluster } from '../../../test-servers/etcd-cluster.ts'
import { ensureKafka, type KafkaCluster, startKafka } from '../../../test-servers/kafka.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { type KetaCluster, startKetaCluster } from '../../../test-servers/keta-cluster.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { runClient, type Wish } from './client-program.ts'
import { ensureGoClient } from './go-client.ts'

/** Of the program; what each is about. */
const SCENARIOS: Readonly<Record<string, string>> = {
  kv: 'reads, writes, compacts, and lists the members',
  paging: 'reads a range page by page, sorted and filtered',
  txn: 'commits transactions inside of transactions',
  session: 'keeps sessions alive, leaves them, and loses them',
  mutex: 'locks, tries to, waits for a lock, and gets that of a session which ended',
  election: 'campaigns, proclaims, observes, resigns, resumes and withdraws',
  stm: 'moves amounts between counters at every level of isolation, and the sum stays',
  leasing: 'caches keys that it has leased, and gives them back to who writes',
  mirror: 'copies a range, and then what changes in it',
  namespace: 'works inside of a prefix',
  ordering: 'sees no answer that is older than one before',
  naming: 'finds a gRPC service by its name',
  watch: 'watches ranges, the past, a hundred keys, and what is compacted',
  fragments: 'watches what is larger than a message',
  progress: 'asks how far a watch is',
  resume: 'goes on with a watch and a session over restarts of the server',
  leases: 'keeps two hundred leases alive over one stream',
  maintenance: 'asks for status, hashes, defragmentation and whole snapshots',
  narrow: 'watches values that are larger than its windows, and takes them late',
  storm: 'gives up calls by the thousand, and none of the others suffers',
  lasting: 'sends ten thousand events over one stream, and keeps it alive through silence',
}

/** What says something about several nodes. */
const IN_A_CLUSTER = [
  'session',
  'mutex',
  'election',
  'stm',
  'leasing',
  'mirror',
  'ordering',
  'watch',
  'resume',
  'leases',
]

interface Target {
  readonly name: string
  readonly endpoints: readonly string[]
  /** The server that goes when a scenario wants it, and what is waited for afterwards. */
  readonly victim: TestServer
  readonly recovered?: () => Promise<void>
}

describe(`etcd's Go client`, function () {
  this.timeout(120_000)
  let program: string

  before(async function () {
    this.timeout(600_000)
    program = await provideOrSkip(this, ensureGoClient)
    await provideOrSkip(this, ensureEtcd)
  })

  async function expectOk(targets: readonly Target[], scenario: string, flags: readonly string[] = []): Promise<void> {
    const outcomes = await Promise.all(
      targets.map(async ({ name, endpoints, victim, recovered }) => {
        const grant = async (wish: Wish): Promise<void> => {
          if (wish === 'crash') await victim.kill()
          await victim.restart()
          await recovered?.()
        }
        const words = [...flags, '--endpoints', endpoints.join(), scenario]
        return { name, outcomes: await runClient(program, words, grant) }
      }),
    )
    const expected = [{ name: scenario, ok: true }]
    expect(outcomes).to.deep.equal(targets.map(({ name }) => ({ name, outcomes: expected })))
  }

  const targetsOf = (servers: readonly TestServer[]): readonly Target[] =>
    servers.map((victim) => ({ name: victim.name, endpoints: [victim.endpoint], victim }))

  describe('with etcd and with one node of Keta', () => {
    let servers: readonly TestServer[] = []

    before(async () => {
      servers = await Promise.all([startEtcd({ fsync: false }), startKeta()])
    })
    after(() => Promise.all(servers.map((server) => server.stop())))

    for (const [scenario, what] of Object.entries(SCENARIOS)) {
      it(what, () => expectOk(targetsOf(servers), scenario))
    }
  })

  it('logs in with a password, and again when its token is not good any more', async () => {
    const servers = await Promise.all([startEtcd({ fsync: false }), startKeta({ flags: ['--bcrypt-cost=4'] })])
    try {
      await expectOk(targetsOf(servers), 'auth')
    } finally {
      await Promise.all(servers.map((server) => server.stop()))
    }
  })

  describe('over TLS with a certificate of its own', () => {
    let directory: string
    let servers: readonly TestServer[] = []
    const file = (name: string): string => join(directory, name)

    before(async function () {
      directory = mkdtempSync(join(tmpdir(), 'keta-go-client-'))
      await provideOrSkip(this, () => makeCertificates(directory))
      const [ca, key, cert] = ['ca.pem', 'client-key.pem', 'client-cert.pem'].map((name) => readFileSync(file(name)))
      const flags = [
        ...['--cert-file', file('server-cert.pem'), '--key-file', file('server-key.pem')],
        ...['--client-cert-auth', '--trusted-ca-file', file('ca.pem')],
      ]
      const secured = credentials.createSsl(ca, key, cert)
      servers = await Promise.all([startEtcd({ flags, secured, fsync: false }), startKeta({ flags, secured })])
    })
    after(async () => {
      await Promise.all(servers.map((server) => server.stop()))
      rmSync(directory, { recursive: true })
    })

    for (const scenario of ['kv', 'watch', 'maintenance']) {
      it(SCENARIOS[scenario] ?? scenario, async () => {
        const flags = ['--cacert', file('ca.pem'), '--cert', file('client-cert.pem'), '--key', file('client-key.pem')]
        await expectOk(targetsOf(servers), scenario, flags)
      })
    }
  })

  describe('with three nodes, of etcd and of Keta on Kafka', () => {
    let kafka: KafkaCluster | undefined
    let etcd: EtcdCluster | undefined
    let keta: KetaCluster | undefined

    before(async function () {
      this.timeout(600_000)
      await provideOrSkip(this, () => ensureKafka('3.9'))
      kafka = await startKafka({ brokers: 1 })
      const { bootstrapServers } = kafka
      etcd = await startEtcdCluster({ fsync: false })
      keta = await startKetaCluster({ bootstrapServers: () => bootstrapServers })
    })
    after(async () => {
      await Promise.all([etcd?.stop(), keta?.stop()])
      await kafka?.stop()
    })

    for (const scenario of IN_A_CLUSTER) {
      it(SCENARIOS[scenario] ?? scenario, () =>
        expectOk([clusterTarget('etcd', etcd, etcd?.members), clusterTarget('keta', keta, keta?.nodes)], scenario),
      )
    }
  })
})

/** Its first node is the one that goes. */
function clusterTarget(
  name: string,
  cluster: { readonly endpoints: readonly string[]; ready(): Promise<void> } | undefined,
  nodes: readonly TestServer[] = [],
): Target {
  const [victim] = nodes
  if (cluster === undefined || victim === undefined) throw new Error(`no cluster of ${name} was started`)
  return { name, endpoints: cluster.endpoints, victim, recovered: () => cluster.ready() }
}
