/** The configuration of a server inside another program. */
import { expect } from 'chai'
import { advertisedUrls, listeningUrls } from './addresses.ts'
import { ConfigurationError } from './configuration-error.ts'
import { embeddedConfig } from './embedded.ts'
import { kafkaSettings } from './kafka.ts'
import { OPTIONS } from './options.ts'

describe('the configuration of an embedded server', () => {
  it('has the defaults of the table', () => {
    expect(embeddedConfig({})).to.include({
      name: 'default',
      dataDir: 'default.keta',
      maxTxnOps: 128,
      shutdownGrace: 5000,
    })
    expect(embeddedConfig({ name: 'n' }).dataDir).to.equal('n.keta')
  })

  it('takes values, durations in milliseconds', () => {
    const config = embeddedConfig({
      listenClientUrls: ['http://127.0.0.1:0', 'http://[::1]:0'],
      shutdownGrace: 1500,
      quotaBackendBytes: -1,
    })
    expect(config.listenClientUrls.map(({ host }) => host)).to.deep.equal(['127.0.0.1', '::1'])
    expect(config).to.include({ shutdownGrace: 1500, quotaBackendBytes: -1 })
  })

  it('takes lists, maps and secrets of a cluster', () => {
    const config = embeddedConfig({
      name: 'n',
      kafkaBootstrapServers: ['k1:9092', '[::1]:9093'],
      kafkaTopicConfig: { 'segment.bytes': '1', 'cleanup.policy': 'a,b' },
      leaderEligibility: false,
      readLease: 500,
      kafkaSessionTimeout: 10_000,
    })
    const settings = kafkaSettings(config)
    expect(settings?.client.bootstrapServers).to.deep.equal([
      { host: 'k1', port: 9092 },
      { host: '::1', port: 9093 },
    ])
    expect([...(settings?.topicConfig ?? [])]).to.deep.equal([
      ['segment.bytes', '1'],
      ['cleanup.policy', 'a,b'],
    ])
    expect(settings).to.include({ sessionTimeoutMs: 10_000, snapshotTopic: '_keta_log_snapshots' })
    expect(settings?.client.clientId).to.equal('keta-n')
    expect(config).to.include({ leaderEligibility: false, readLease: 500 })
  })

  it('refuses values that do not fit each other, and files that cannot be read, without telling secrets', () => {
    const kafka = {
      kafkaBootstrapServers: ['k:1'],
      kafkaSecurityProtocol: 'SASL_SSL',
      kafkaSaslMechanism: 'PLAIN',
    } as const
    expect(() => embeddedConfig({ ...kafka, kafkaSaslPassword: 's3cret', leaderSilence: 300 })).to.throw(
      ConfigurationError,
      /^leaderSilence: 300ms [^]*kafkaSaslUsername: it is missing, because kafkaSecurityProtocol is SASL_SSL$/,
    )
    for (const wrong of [{ kafkaSaslJaasConfig: 'x s3cret' }, { kafkaSslKeyPassword: 's3cret\0' }]) {
      expect(() => embeddedConfig(wrong)).to.throw(ConfigurationError)
      expect(() => embeddedConfig(wrong)).not.to.throw(/s3cret/)
    }
    const user = { kafkaSaslUsername: 'u', kafkaSaslPassword: 's3cret' }
    const config = embeddedConfig({ ...kafka, ...user, kafkaSslCaFile: 'absent.pem' })
    expect(() => kafkaSettings(config)).to.throw(
      ConfigurationError,
      'kafkaSslCaFile: absent.pem: there is no such file',
    )
  })

  it('takes what TLS needs as it comes out again', () => {
    const tls = {
      listenClientUrls: ['https://127.0.0.1:0'],
      listenClientHttpUrls: ['http://127.0.0.1:0'],
      autoTls: true,
      clientCertAuth: 'none',
      tlsMinVersion: 'TLS1.3',
      peerCertAllowedCn: ['a', 'b'],
    } as const
    const { autoTls, clientCertAuth, tlsMinVersion, peerCertAllowedCn } = tls
    expect(embeddedConfig(tls)).to.deep.include({ autoTls, clientCertAuth, tlsMinVersion, peerCertAllowedCn })
  })

  it('refuses all wrong values at once', () => {
    const wrong = { maxTxnOps: 0, listenClientUrls: ['ftp://a:1'], datadir: 'x' }
    expect(() => embeddedConfig(wrong)).to.throw(
      ConfigurationError,
      /scheme ftp is unknown[^]*maxTxnOps: "0"[^]*datadir: there is no such option/,
    )
  })
})

describe('advertised URLs', () => {
  const bound = [
    { host: '0.0.0.0', port: 2379 },
    { host: '::1', port: 2380 },
  ]
  const none = { advertiseClientUrls: [], hostName: '' }

  it('are those bound, with the name of the machine for every interface', () => {
    expect(advertisedUrls(none, bound, 'machine')).to.deep.equal(['http://machine:2379', 'http://[::1]:2380'])
    expect(listeningUrls(bound)).to.deep.equal(['http://0.0.0.0:2379', 'http://[::1]:2380'])
  })

  it('have the host that was configured, or are what was configured', () => {
    expect(advertisedUrls({ ...none, hostName: 'h' }, bound, 'machine')).to.deep.equal([
      'http://h:2379',
      'http://h:2380',
    ])
    const advertiseClientUrls = OPTIONS.advertiseClientUrls.kind.parse('https://proxy:443')
    expect(advertisedUrls({ advertiseClientUrls, hostName: 'h' }, bound, 'm')).to.deep.equal(['https://proxy:443'])
  })
})
