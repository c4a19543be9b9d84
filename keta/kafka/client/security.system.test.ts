import { inspect } from 'node:util'
import { expect } from 'chai'
import { ensureKafka, startKafka, type KafkaCluster } from '../../../test-servers/kafka.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { logOn } from '../../log/kafka/opened-log.fixture.ts'
import { texts } from '../../log/log-suite.ts'
import type { KafkaClientSettings, SaslCredentials } from './client.ts'
import { KafkaError } from './client.ts'
import { authorityOf, clientOf } from './test-cluster.fixture.ts'

const PASSWORD = 'correct-horse'
const users = { keta: PASSWORD }

describe('Kafka with credentials and certificates', function () {
  this.timeout(300_000)
  let cluster: KafkaCluster
  before(async function () {
    await provideOrSkip(this, () => ensureKafka('3.9'))
  })
  afterEach(() => cluster.stop())

  it('lets in by PLAIN who knows the password, and tells others so at once', async () => {
    cluster = await startKafka({ security: 'sasl_plain', users })
    await expectRoundTrip({ sasl: credentials('PLAIN') })
    const wrong = await failureOf({ sasl: { ...credentials('PLAIN'), password: 'wrong-horse' } })
    expect(wrong.code).to.equal('NOT_AUTHENTICATED')
    expect(wrong.message).to.include('SASL_AUTHENTICATION_FAILED')
    expectNoSecret(wrong, 'wrong-horse')
    const unasked = await failureOf({})
    expect(unasked.code).to.equal('UNREACHABLE')
    expect(unasked.message).to.include('no SASL')
  })

  it('lets in by SCRAM-SHA-256 and SCRAM-SHA-512', async () => {
    cluster = await startKafka({ security: 'sasl_scram', users })
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      await expectRoundTrip({ sasl: credentials(mechanism) })
      const wrong = await failureOf({ sasl: { ...credentials(mechanism), password: 'wrong-horse' } })
      expect(wrong.code, mechanism).to.equal('NOT_AUTHENTICATED')
      expectNoSecret(wrong, 'wrong-horse')
    }
    const unsupported = await failureOf({ sasl: credentials('PLAIN') })
    expect(unsupported.code).to.equal('NOT_AUTHENTICATED')
    expectNoSecret(unsupported, PASSWORD)
  })

  it('speaks TLS with SASL, and believes only certificates of the authority that it was given', async () => {
    cluster = await startKafka({ security: 'sasl_ssl', users })
    const ca = authorityOf(cluster)
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-512'] as const) {
      await expectRoundTrip({ sasl: credentials(mechanism), tls: { ca, verifyHostname: true } })
    }
    const distrusting = await failureOf({ sasl: credentials('PLAIN'), tls: { verifyHostname: true } })
    expect(distrusting.code).to.equal('NOT_AUTHENTICATED')
    expectNoSecret(distrusting, PASSWORD)
    const plain = await failureOf({ sasl: credentials('PLAIN') })
    expect(plain.code).to.equal('UNREACHABLE')
    expect(plain.message).to.include('no TLS')
  })

  it('says what is wrong with a certificate that cannot be read', async () => {
    cluster = await startKafka({ security: 'ssl' })
    await expectRoundTrip({ tls: { ca: authorityOf(cluster), verifyHostname: true } })
    const broken = await failureOf({ tls: { cert: 'no certificate', key: 'secret key', verifyHostname: true } })
    expect(broken.code).to.equal('NOT_AUTHENTICATED')
    expectNoSecret(broken, 'secret key')
  })

  async function expectRoundTrip(settings: Partial<KafkaClientSettings>): Promise<void> {
    const shared = await logOn(cluster, settings)
    const log = await shared.open()
    await log.append([Buffer.from('through')])
    expect(await texts(log, log.startOffset)).to.deep.equal(['through'])
    await shared.dispose()
  }

  async function failureOf(settings: Partial<KafkaClientSettings>): Promise<KafkaError> {
    const client = clientOf(cluster, settings)
    const failure: unknown = await client.clusterId().catch((error: unknown) => error)
    await client.close()
    if (failure instanceof KafkaError) return failure
    throw new Error(`it did not fail as expected: ${String(failure)}`)
  }
})

function credentials(mechanism: SaslCredentials['mechanism']): SaslCredentials {
  return { mechanism, username: 'keta', password: PASSWORD }
}

function expectNoSecret(error: unknown, secret: string): void {
  expect(inspect(error, { depth: Infinity, showHidden: true })).not.to.include(secret)
}
