import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureCassandra, startCassandra, type CassandraCluster } from '../../test-servers/cassandra.ts'
import { type ClientTls, makeCertificates } from '../../test-servers/certificates.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import type { Entry } from '../../spi/index.ts'
import { call, commitOf, failureOf, recorder, until, write } from '../shared/driver-calls.fixture.ts'
import { Drivers, propertiesOf } from './opened.fixture.ts'

const PATIENCE_MS = 10_000

describe('the driver on a Cassandra that wants TLS and certificates', function () {
  this.timeout(120_000)
  const drivers = new Drivers()
  let folder: string
  let cluster: CassandraCluster
  let own: ClientTls
  let foreign: ClientTls

  const properties = (tls: Readonly<Record<string, string>>) => ({
    ...propertiesOf(
      cluster,
      cluster.nodes.map(({ endpoint }) => endpoint),
    ),
    ...Object.fromEntries(Object.entries(tls).map(([name, value]) => [`plugin.cassandra.tls.${name}.file`, value])),
  })

  before(async function () {
    await provideOrSkip(this, ensureCassandra)
    folder = mkdtempSync(join(tmpdir(), 'keta-cassandra-tls-'))
    const certificates = await makeCertificates(folder)
    own = certificates.client
    foreign = (await makeCertificates(mkdtempSync(join(folder, 'foreign-')))).client
    cluster = await startCassandra({
      settings: {
        client_encryption_options: {
          enabled: true,
          // only so that the test's own look at the cluster, without TLS, is answered
          optional: true,
          require_client_auth: true,
          ssl_context_factory: { class_name: 'org.apache.cassandra.security.PEMBasedSslContextFactory' },
          keystore: certificates.server.keyStoreFile,
          truststore: certificates.server.caFile,
        },
      },
    })
  })
  afterEach(() => drivers.close())
  after(async () => {
    await cluster.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it('writes and is told of changes, over a restart too', async () => {
    const driver = await drivers.open(properties({ ca: own.caFile, cert: own.certFile, key: own.keyFile }))
    const { id } = await driver.openSession(60_000, call(PATIENCE_MS))
    const sink = recorder<Entry>(({ text }) => text)
    await driver.followKey('/a', sink).active
    await driver.commit(commitOf(id, 1, write('/a', '1')), call(PATIENCE_MS))
    const [node] = cluster.nodes
    await node?.kill()
    await node?.restart()
    const again = await drivers.open(properties({ ca: own.caFile, cert: own.certFile, key: own.keyFile }))
    const other = await again.openSession(60_000, call(PATIENCE_MS))
    await again.commit(commitOf(other.id, 1, write('/a', '2')), call(PATIENCE_MS))
    await until(
      () => sink.lines.includes('/a=2'),
      () => sink.lines,
      PATIENCE_MS,
    )
  })

  it('refuses servers whose authority is not the one that it was given', async () => {
    const wrong = properties({ ca: foreign.caFile, cert: own.certFile, key: own.keyFile })
    const error = await failureOf(drivers.open(wrong))
    expect(error).to.include({ code: 'CONNECTION', effect: 'none' })
    expect(error['message']).to.match(/certificate/)
  })

  it('is refused without a certificate, and with a foreign one', async () => {
    for (const tls of [{ ca: own.caFile }, { ca: own.caFile, cert: foreign.certFile, key: foreign.keyFile }]) {
      expect(await failureOf(drivers.open(properties(tls)))).to.include({ code: 'CONNECTION', effect: 'none' })
    }
  })
})
