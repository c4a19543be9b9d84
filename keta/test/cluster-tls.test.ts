/** A cluster whose nodes reach each other over TLS, and know each other by their certificates. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { expect } from 'chai'
import { makeCertificates } from '../../test-servers/certificates.ts'
import { ensureKafka, type KafkaCluster, startKafka } from '../../test-servers/kafka.ts'
import { type KetaCluster, startKetaCluster } from '../../test-servers/keta-cluster.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { EXCHANGE, PEER_SERVICE, VERSION, VERSION_METADATA } from '../peer/protocol.ts'
import { STATUS } from '../transport/transport.ts'
import { etcdctl } from './etcdctl.ts'

describe('a cluster over TLS', function () {
  this.timeout(120_000)
  let directory: string
  let kafka: KafkaCluster
  let cluster: KetaCluster
  const file = (name: string): string => join(directory, name)

  before(async function () {
    directory = mkdtempSync(join(tmpdir(), 'keta-cluster-tls-'))
    await provideOrSkip(this, () => makeCertificates(directory))
    await provideOrSkip(this, () => ensureKafka('3.9'))
    kafka = await startKafka({ brokers: 1 })
    cluster = await startKetaCluster({
      bootstrapServers: () => kafka.bootstrapServers,
      name: 'secured',
      nodes: 2,
      secured: credentials.createSsl(readFileSync(file('ca.pem'))),
      flags: [
        ...['--cert-file', file('server-cert.pem'), '--key-file', file('server-key.pem')],
        ...['--peer-cert-file', file('client-cert.pem'), '--peer-key-file', file('client-key.pem')],
        ...['--peer-trusted-ca-file', file('ca.pem'), '--peer-client-cert-auth', '--peer-cert-allowed-cn', 'client'],
      ],
    })
  })

  after(async () => {
    await cluster.stop()
    await kafka.stop()
    rmSync(directory, { recursive: true })
  })

  it('takes writes at every node: those of a follower go over its link', async () => {
    for (const [index, node] of cluster.nodes.entries()) {
      const server = { ...node, endpoint: `https://${node.endpoint}` }
      const { stdout } = await etcdctl(server, ['--cacert', file('ca.pem'), 'put', 'k', `v${index}`, '--prev-kv'])
      expect(stdout).to.equal(index === 0 ? 'OK\n' : 'OK\nk\nv0\n')
    }
  })

  const askers: readonly (readonly [string, string | undefined])[] = [
    ['without a certificate', undefined],
    ['with a certificate that is no node', 'server'],
  ]
  for (const [who, name] of askers) {
    it(`answers nobody as a node who comes ${who}`, async () => {
      const [ca, key, cert] = [file('ca.pem'), ...['key', 'cert'].map((part) => name && file(`${name}-${part}.pem`))]
      const read = (path: string | undefined): Buffer | null => (path === undefined ? null : readFileSync(path))
      const port = cluster.endpoints[0]?.split(':')[1] ?? ''
      const client = new Client(`localhost:${port}`, credentials.createSsl(read(ca), read(key), read(cert)))
      const asIs = (bytes: Buffer): Buffer => bytes
      const metadata = new Metadata()
      metadata.set(VERSION_METADATA, VERSION)
      const call = client.makeBidiStreamRequest(`/${PEER_SERVICE}/${EXCHANGE}`, asIs, asIs, metadata)
      const answer: unknown = await new Promise((resolve) => {
        call.on('data', resolve).on('error', resolve)
      })
      expect(answer).to.have.property('code', STATUS.PERMISSION_DENIED)
      client.close()
    })
  }
})
