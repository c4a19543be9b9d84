/** What options have to do with each other is checked at once, each finding with its place. */
import { expect } from 'chai'
import { readCommandLine } from './command-line.ts'
import { readEnvironment } from './environment.ts'
import { readPropertiesText, readYamlText } from './file.ts'
import { kafkaSettings } from './kafka.ts'
import { PEM, STORE_PASSWORD, STORES } from './key-stores/stores.fixture.ts'
import { resolve } from './resolve.ts'

const FILES: Readonly<Record<string, Buffer | string>> = {
  'ca.pem': PEM.ca,
  'node.pem': PEM.node,
  'node.key': PEM.nodeKey,
  'trust.p12': STORES.trustPkcs12,
  'trust.jks': STORES.trustJks,
  'node.p12': STORES.nodeJava,
}

function readFile(path: string): Buffer {
  const content = FILES[path]
  if (content === undefined) throw Object.assign(new Error('x'), { code: 'ENOENT' })
  return Buffer.from(content)
}

const KAFKA = ['--kafka-bootstrap-servers=k1:9092,k2:9092', '--host-name=n1']
const TLS = [...KAFKA, '--kafka-security-protocol=SSL']
const SASL = [...KAFKA, '--kafka-security-protocol=SASL_PLAINTEXT']

function flags(...words: string[]) {
  return resolve([readCommandLine(words)], undefined, readFile)
}

function settings(...words: string[]) {
  const { resolved, problems } = flags(...words)
  expect(problems).to.deep.equal([])
  return kafkaSettings(resolved!.config, readFile)
}

describe('the settings of Kafka', () => {
  it('are none without servers', () => {
    expect(settings()).to.equal(undefined)
  })

  it('have a default for everything but the servers', () => {
    expect(settings(...KAFKA, '--name=n1')).to.deep.equal({
      client: {
        bootstrapServers: [
          { host: 'k1', port: 9092 },
          { host: 'k2', port: 9092 },
        ],
        clientId: 'keta-n1',
        requestTimeoutMs: 5000,
      },
      groupId: 'keta',
      sessionTimeoutMs: 6000,
      topic: '_keta_log',
      snapshotTopic: '_keta_log_snapshots',
      replicationFactor: 3,
      topicConfig: new Map(),
    })
  })

  it('name the topic of the snapshots after that of the log', () => {
    expect(settings(...KAFKA, '--kafka-topic=blue')?.snapshotTopic).to.equal('blue_snapshots')
    expect(settings(...KAFKA, '--kafka-topic=blue', '--kafka-snapshot-topic=s')?.snapshotTopic).to.equal('s')
  })

  it('take user and password, or what Java clients have instead', () => {
    const words = ['--kafka-sasl-mechanism=SCRAM-SHA-256', '--kafka-sasl-username=u', '--kafka-sasl-password=p']
    const expected = { mechanism: 'SCRAM-SHA-256', username: 'u', password: 'p' }
    expect(settings(...SASL, ...words)?.client.sasl).to.deep.equal(expected)
    const module = 'org.apache.kafka.common.security.scram.ScramLoginModule'
    const jaas = `--kafka-sasl-jaas-config=${module} required username="u" password="p";`
    const tls = settings(...KAFKA, '--kafka-security-protocol=sasl_ssl', '--kafka-sasl-mechanism=SCRAM-SHA-256', jaas)
    expect(tls?.client.sasl).to.deep.equal(expected)
    expect(tls?.client.tls).to.deep.equal({ verifyHostname: true })
  })

  it('take certificates from PEM files', () => {
    const words = ['--kafka-ssl-ca-file=ca.pem', '--kafka-ssl-cert-file=node.pem', '--kafka-ssl-key-file=node.key']
    const { verifyHostname, ca, cert, key } = settings(...TLS, ...words)?.client.tls ?? {}
    expect({ verifyHostname, ca, cert, key }).to.deep.equal({
      verifyHostname: true,
      ca: PEM.ca,
      cert: PEM.node,
      key: PEM.nodeKey,
    })
  })

  it('take certificates from the stores of Java', () => {
    const text = `kafkacache.bootstrap.servers=k1:9093
kafkacache.security.protocol=SSL
kafkacache.ssl.truststore.location=trust.p12
kafkacache.ssl.truststore.password=${STORE_PASSWORD}
kafkacache.ssl.keystore.location=node.p12
kafkacache.ssl.keystore.password=${STORE_PASSWORD}
kafkacache.ssl.keystore.type=PKCS12
kafkacache.ssl.endpoint.identification.algorithm=
`
    const { resolved, problems } = resolve([readPropertiesText('k.properties', text)], 'properties', readFile)
    expect(problems).to.deep.equal([])
    const tls = kafkaSettings(resolved!.config, readFile)?.client.tls
    expect(tls).to.include({ verifyHostname: false, passphrase: STORE_PASSWORD })
    expect(tls?.ca?.match(/BEGIN/g)).to.have.length(2)
    expect(tls?.key).to.include('BEGIN ENCRYPTED PRIVATE KEY')
  })

  it('take settings of the topic as Java Keta does, as a map in YAML, and as a list', () => {
    const expected = new Map([
      ['segment.bytes', '1048576'],
      ['leader.replication.throttled.replicas', '0:1,0:2'],
    ])
    const java = `kafkacache.bootstrap.servers=k:1
kafkacache.topic.config.segment.bytes=1048576
kafkacache.topic.config.leader.replication.throttled.replicas=0:1,0:2
`
    const yaml = `kafka-bootstrap-servers: [k:1]
kafka-topic-config:
  segment.bytes: 1048576
  leader.replication.throttled.replicas: 0:1,0:2
`
    const list = 'segment.bytes=1048576,leader.replication.throttled.replicas=0:1\\,0:2'
    const all = [
      resolve([readPropertiesText('k.properties', java)], 'properties'),
      resolve([readYamlText('k.yaml', yaml)], 'yaml'),
      flags(...KAFKA, `--kafka-topic-config=${list}`),
    ]
    for (const { resolved, problems } of all) {
      expect(problems).to.deep.equal([])
      expect(resolved?.config.kafkaTopicConfig).to.deep.equal(expected)
    }
  })

  it('leave out servers of another protocol, as Java Keta does, with a warning', () => {
    const words = [
      '--kafka-bootstrap-servers=PLAINTEXT://a:1,SSL://b:2,c:3',
      '--kafka-security-protocol=SSL',
      '--host-name=n',
    ]
    expect(settings(...words)?.client.bootstrapServers).to.deep.equal([
      { host: 'b', port: 2 },
      { host: 'c', port: 3 },
    ])
    expect(flags(...words).warnings).to.deep.equal([
      '--kafka-bootstrap-servers: left out because --kafka-security-protocol is SSL: PLAINTEXT://a:1',
    ])
  })
})

describe('options that do not fit each other', () => {
  const user = ['--kafka-sasl-username=u', '--kafka-sasl-password=s3cret']
  const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule'
  const jaas = `--kafka-sasl-jaas-config=${plainModule} required username="u" password="s3cret";`
  const wrong: [string, string[], string[]][] = [
    [
      'SASL without anything',
      SASL,
      [
        'kafka-sasl-mechanism: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, because --kafka-security-protocol is ' +
          'SASL_PLAINTEXT',
        'kafka-sasl-username: it is missing, because --kafka-security-protocol is SASL_PLAINTEXT',
        'kafka-sasl-password: it is missing, because --kafka-security-protocol is SASL_PLAINTEXT',
      ],
    ],
    [
      'SASL without a password',
      [...SASL, '--kafka-sasl-mechanism=PLAIN', '--kafka-sasl-username=u'],
      ['kafka-sasl-password: it is missing, because --kafka-security-protocol is SASL_PLAINTEXT'],
    ],
    [
      'user and password twice',
      [...SASL, '--kafka-sasl-mechanism=PLAIN', ...user, jaas],
      [
        '--kafka-sasl-username: it stands in --kafka-sasl-jaas-config too; keep one of them',
        '--kafka-sasl-password: it stands in --kafka-sasl-jaas-config too; keep one of them',
      ],
    ],
    [
      'a login module for another mechanism',
      [...SASL, '--kafka-sasl-mechanism=SCRAM-SHA-512', jaas],
      ['--kafka-sasl-jaas-config: PlainLoginModule is not for SCRAM-SHA-512'],
    ],
    [
      'SASL options without SASL',
      [...TLS, '--kafka-sasl-mechanism=PLAIN', jaas],
      [
        '--kafka-sasl-mechanism: --kafka-security-protocol is SSL, which is without it; set it to SASL_SSL',
        '--kafka-sasl-jaas-config: --kafka-security-protocol is SSL, which is without it; set it to SASL_SSL',
      ],
    ],
    [
      'TLS files without TLS',
      [...KAFKA, '--kafka-ssl-ca-file=absent', '--kafka-ssl-key-file=absent'],
      [
        '--kafka-ssl-ca-file: kafka-security-protocol is PLAINTEXT, which is without TLS; set it to SSL',
        '--kafka-ssl-key-file: kafka-security-protocol is PLAINTEXT, which is without TLS; set it to SSL',
      ],
    ],
    [
      'passwords of files that are not there',
      [...TLS, '--kafka-ssl-ca-password=s3cret', '--kafka-ssl-key-file=node.key'],
      ['--kafka-ssl-ca-password: kafka-ssl-ca-file is missing', '--kafka-ssl-key-file: kafka-ssl-cert-file is missing'],
    ],
    [
      'files that cannot be read',
      [...TLS, '--kafka-ssl-ca-file=absent.pem', '--kafka-ssl-cert-file=node.pem', '--kafka-ssl-key-file=absent.key'],
      [
        '--kafka-ssl-ca-file: absent.pem: there is no such file',
        '--kafka-ssl-key-file: absent.key: there is no such file',
      ],
    ],
    [
      'a certificate without key',
      [...TLS, '--kafka-ssl-cert-file=node.pem'],
      ['--kafka-ssl-cert-file: node.pem: there is no private key in it'],
    ],
    [
      'a wrong password',
      [...TLS, '--kafka-ssl-ca-file=trust.p12', '--kafka-ssl-ca-password=s3cret'],
      ['--kafka-ssl-ca-file: trust.p12: the password is wrong, or the store is damaged'],
    ],
    [
      'servers of another protocol only',
      ['--kafka-bootstrap-servers=SSL://a:1', '--host-name=n'],
      [
        '--kafka-bootstrap-servers: none of them is of the protocol that is spoken: kafka-security-protocol is ' +
          'PLAINTEXT',
      ],
    ],
    [
      'a silence of no more than two ticks',
      [...KAFKA, '--leader-silence=600ms'],
      ['--leader-silence: 600ms is not more than twice leader-tick-interval (300ms)'],
    ],
    [
      'ticks too far apart for the silence',
      [...KAFKA, '--leader-tick-interval=1s'],
      ['leader-silence: 1s200ms is not more than twice --leader-tick-interval (1s)'],
    ],
    [
      'one topic for log and snapshots',
      [...KAFKA, '--kafka-topic=a.b', '--kafka-snapshot-topic=a_b'],
      ['--kafka-snapshot-topic: expected another name than that of --kafka-topic'],
    ],
    [
      'a replication factor of 0',
      [...KAFKA, '--kafka-replication-factor=0'],
      ['--kafka-replication-factor: "0"; expected a whole number from 1 to 32767'],
    ],
  ]
  for (const [what, words, problems] of wrong) {
    it(`are refused: ${what}`, () => {
      const outcome = flags(...words)
      expect(outcome.problems).to.deep.equal(problems)
      expect(outcome.resolved).to.equal(undefined)
      expect(JSON.stringify(outcome)).not.to.include('s3cret')
    })
  }

  it('are told by the names that the file has, with their lines', () => {
    const text = 'kafkacache.bootstrap.servers=k:1\nkafkacache.security.protocol=SASL_SSL\nkafka-sasl-username=u\n'
    expect(resolve([readPropertiesText('k.properties', text)], 'properties').problems).to.deep.equal([
      'kafkacache.sasl.mechanism: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, because ' +
        'kafkacache.security.protocol (k.properties:2) is SASL_SSL',
      'kafka-sasl-password: it is missing, because kafkacache.security.protocol (k.properties:2) is SASL_SSL',
    ])
  })

  it('do not hide one mistake behind another, nor invent a second one from the first', () => {
    const { problems } = flags(...SASL, '--kafka-sasl-mechanism=GSSAPI', ...user, '--leader-silence=300ms')
    expect(problems).to.deep.equal([
      '--kafka-sasl-mechanism: the mechanism "GSSAPI" is not supported; expected one of PLAIN, SCRAM-SHA-256, ' +
        'SCRAM-SHA-512',
      '--leader-silence: 300ms is not more than twice leader-tick-interval (300ms)',
    ])
  })

  it('have no effect without Kafka, which one warning says; nothing is refused for it, no file read', () => {
    const words = [
      '--kafka-topic=t',
      '--kafka-ssl-ca-file=absent',
      '--leader-eligibility=false',
      '--cluster-group-id=keta',
    ]
    const { problems, warnings } = flags(...words)
    expect(problems).to.deep.equal([])
    expect(warnings).to.deep.equal([
      'no effect: --leader-eligibility, --kafka-topic, --kafka-ssl-ca-file: it has a meaning only with ' +
        'kafka-bootstrap-servers',
    ])
  })

  it('warn if the other nodes are told an address of this machine only', () => {
    const bootstrap = '--kafka-bootstrap-servers=k:1'
    const [warning] = flags(bootstrap).warnings
    expect(warning).to.match(
      /^listen-client-urls: .* http:\/\/127\.0\.0\.1:2379, .*set advertise-client-urls or host-name/,
    )
    expect(flags(bootstrap, '--listen-client-urls=http://0.0.0.0:2379').warnings).to.deep.equal([])
    expect(flags(bootstrap, '--advertise-client-urls=http://127.0.0.1:2379').warnings).to.deep.equal([])
    expect(resolve([readPropertiesText('f', 'kafkacache.bootstrap.servers=k:1')], 'properties').warnings).to.deep.equal(
      [],
    )
  })
})

describe('settings of the topic', () => {
  it('are entries of their own in a file only', () => {
    expect(flags(...KAFKA, '--kafka-topic-config.segment.bytes=1').problems).to.deep.equal([
      '--kafka-topic-config.segment.bytes: unknown flag; keta --help lists all',
    ])
  })
})

describe('secrets', () => {
  it('are never printed, wherever they come from, nor are those that are not set made up', () => {
    const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="s3cret";'
    const environment = { KETA_KAFKA_SASL_JAAS_CONFIG: jaas, KETA_KAFKA_SSL_KEY_PASSWORD: 's3cret' }
    const words = [...KAFKA, '--kafka-security-protocol=SASL_SSL', '--kafka-sasl-mechanism=PLAIN']
    const files = ['--kafka-ssl-cert-file=node.pem', '--kafka-ssl-key-file=node.key']
    const readings = [readCommandLine([...words, ...files]), readEnvironment(environment)]
    const { resolved, problems, warnings } = resolve(readings, undefined, readFile)
    expect([...problems, ...warnings]).to.deep.equal([])
    const effective = resolved?.effective ?? []
    expect(JSON.stringify(effective)).not.to.include('s3cret')
    const shown = new Map(effective.map(({ flag, value }) => [flag, value]))
    expect(shown.get('kafka-sasl-jaas-config')).to.equal('***')
    expect(shown.get('kafka-ssl-key-password')).to.equal('***')
    expect(shown.get('kafka-sasl-password')).to.equal('')
  })
})
