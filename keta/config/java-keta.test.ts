/** Java Keta's property files start this server: each of its names is an option, ignored with a reason, or refused. */
import { expect } from 'chai'
import { readPropertiesText } from './file.ts'
import { kafkaSettings } from './kafka.ts'
import { resolve } from './resolve.ts'

/** The lines that all of Java Keta's sample files have. */
function sample(port: number, group: string, cache: string, directory: string): string {
  return `
listeners=http://0.0.0.0:${port}
cluster.group.id=keta
kafkacache.bootstrap.servers=localhost:9092
kafkacache.group.id=${group}
kafkacache.backing.cache=${cache}
kafkacache.data.dir=${directory}
kafkacache.checkpoint.dir=${directory}
debug=false
`
}

function read(text: string) {
  return resolve([readPropertiesText('k.properties', text)], 'properties')
}

const GROUP =
  'no effect: kafkacache.group.id (k.properties:5): the log is read without a consumer group; nodes are told apart ' +
  'by their data directories'
const DIRECTORIES =
  'no effect: kafkacache.data.dir (k.properties:7), kafkacache.checkpoint.dir (k.properties:8): what Java Keta keeps ' +
  'there is a copy in a format of its own; see data-dir'
const TOKENS =
  'no effect: token.public.key.path (k.properties:10), token.private.key.path (k.properties:11): the keys of ' +
  'tokens stand in auth-token'
const ROCKSDB = 'k.properties:6: kafkacache.backing.cache: there is no rocksdb here; lmdb is used'

describe("Java Keta's sample files", () => {
  const tokens = 'token.public.key.path=public.pem\ntoken.private.key.path=private_key.pem\n'
  const samples: [string, string, number, 'memory' | 'lmdb', string[]][] = [
    [
      'keta.properties',
      sample(2379, 'keta-1', 'rocksdb', 'data') + tokens,
      2379,
      'lmdb',
      [GROUP, DIRECTORIES, TOKENS, ROCKSDB],
    ],
    ['keta-inmemory.properties', sample(8765, 'keta-1', 'memory', 'data'), 8765, 'memory', [GROUP, DIRECTORIES]],
    [
      'keta-replica.properties',
      sample(8766, 'keta-2', 'rocksdb', 'data/replica'),
      8766,
      'lmdb',
      [GROUP, DIRECTORIES, ROCKSDB],
    ],
  ]
  for (const [name, text, port, backingCache, expected] of samples) {
    it(`${name} starts a node of a cluster, with a warning for each reason`, () => {
      const { resolved, problems, warnings } = read(text)
      expect(problems).to.deep.equal([])
      expect(warnings).to.deep.equal(expected)
      expect(resolved?.config.listenClientUrls).to.deep.include({
        scheme: 'http',
        host: '0.0.0.0',
        port,
        href: `http://0.0.0.0:${port}`,
      })
      expect(resolved?.config).to.deep.include({ backingCache, leaderEligibility: true })
      const settings = kafkaSettings(resolved!.config)
      expect(settings).to.include({ groupId: 'keta', replicationFactor: 3 })
      expect(settings?.client.bootstrapServers).to.deep.equal([{ host: 'localhost', port: 9092 }])
    })
  }

  it('keta-secure.properties is served with TLS, or refused, and its passwords are not printed', () => {
    const secure = 'ssl.keystore.location=a\nssl.keystore.password=changeme\nssl.key.password=changeme\n'
    const text = sample(2379, 'keta-1', 'rocksdb', 'data').replace('http:', 'https:') + secure
    const { resolved, problems, warnings } = read(`host.name=localhost\n${text}ssl.truststore.location=\n`)
    expect(resolved).to.equal(undefined)
    expect(problems).to.have.length(1)
    expect(problems[0]).to.match(/ssl\.keystore\.location: a: there is no such file$/)
    expect([...problems, ...warnings].join()).not.to.include('changeme')
  })
})

describe("Java Keta's names", () => {
  it('that are options have its values', () => {
    const { resolved, problems, warnings } = read(`host.name=node1
listeners=http://0.0.0.0:2379
cluster.group.id=blue
leader.eligibility=false
kafkacache.bootstrap.servers=SASL_SSL://k1:9093,SASL_SSL://k2:9093
kafkacache.topic.replication.factor=2
kafkacache.topic.config.segment.bytes=1048576
kafkacache.client.id=a
kafkacache.backing.cache=caffeine
kafkacache.security.protocol=SASL_SSL
kafkacache.sasl.mechanism=PLAIN
kafkacache.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  username="alice" \\
  password="p";
`)
    expect(problems).to.deep.equal([])
    expect(warnings).to.deep.equal([
      'k.properties:9: kafkacache.backing.cache: there is no caffeine here; memory is used',
    ])
    expect(resolved?.config).to.deep.include({ hostName: 'node1', leaderEligibility: false, backingCache: 'memory' })
    expect(kafkaSettings(resolved!.config)).to.deep.include({
      groupId: 'blue',
      replicationFactor: 2,
      topicConfig: new Map([['segment.bytes', '1048576']]),
      client: {
        bootstrapServers: [
          { host: 'k1', port: 9093 },
          { host: 'k2', port: 9093 },
        ],
        clientId: 'a',
        requestTimeoutMs: 5000,
        sasl: { mechanism: 'PLAIN', username: 'alice', password: 'p' },
        tls: { verifyHostname: true },
      },
    })
  })

  it('have defaults of their own where they are only written down', () => {
    const { problems, warnings } = read(`ssl.keystore.location=
ssl.client.authentication=NONE
token.type=simple
kafkacache.topic.num.partitions=1
kafkacache.topic.skip.validation=false
kafkacache.topic.read.only=false
kafkacache.bounded.cache.size=-1
kafkacache.bounded.cache.expiry.secs=-1
kafkacache.ssl.truststore.type=JKS
kafkacache.ssl.keystore.type=PKCS12
kafkacache.security.protocol=PLAINTEXT
kafkacache.ssl.endpoint.identification.algorithm=https
kafkacache.bootstrap.servers=k:1
`)
    expect([...problems, ...warnings]).to.deep.equal([])
  })

  const ignored: [string, RegExp][] = [
    ['topic topic.partitions topic.partitions.offset topic.skip.validation topic.require.compact', /no effect/],
    ['init.timeout.ms timeout.ms poll.timeout.ms request.timeout.ms', /see kafka-request-timeout/],
    ['data.dir checkpoint.dir checkpoint.version checkpoint.before.init checkpoint.handler', /see data-dir/],
    ['backing.cache.rocksdb.x bounded.cache.size bounded.cache.expiry.secs', /no effect/],
    ['ssl.protocol ssl.provider ssl.enabled.protocols ssl.cipher.suites', /TLS is that of Node.js/],
    ['ssl.trustmanager.algorithm ssl.keymanager.algorithm', /TLS is that of Node.js/],
    ['sasl.kerberos.service.name sasl.kerberos.kinit.cmd', /Kerberos/],
    ['max.request.size retry.backoff.ms reconnect.backoff.ms metadata.max.age.ms', /Kafka clients/],
  ]
  for (const [names, reason] of ignored) {
    it(`without a meaning are told by name, once for each reason: ${names}`, () => {
      const all = names.split(' ').map((name) => `kafkacache.${name}`)
      const { problems, warnings } = read(
        `kafkacache.bootstrap.servers=k:1\n${all.map((name) => `${name}=7\n`).join('')}`,
      )
      expect(problems).to.deep.equal([])
      expect(warnings.length).to.be.lessThan(all.length)
      for (const name of all)
        expect(warnings.some((line) => line.includes(`${name} (`) && reason.test(line))).to.equal(true)
    })
  }

  const refused: [string, string, RegExp][] = [
    ['a node that only reads', 'kafkacache.topic.read.only=true', /only reads/],
    ['stores of another kind', 'kafkacache.ssl.keystore.type=BCFKS', /only PEM and PKCS12/],
    ['keys within the file', 'kafkacache.ssl.keystore.key=s3cret', /into a file/],
    ['trust within the file', 'kafkacache.ssl.truststore.certificates=s3cret', /into a file/],
    ['Java classes', 'kafkacache.sasl.client.callback.handler.class=a.B', /Java classes/],
    ['Kerberos', 'kafkacache.sasl.mechanism=GSSAPI', /"GSSAPI" is not supported/],
    ['OAuth', 'kafkacache.sasl.mechanism=OAUTHBEARER', /"OAUTHBEARER" is not supported/],
    ['another cache', 'kafkacache.backing.cache=redis', /"redis"; expected one of memory, lmdb, rocksdb/],
    ['a protocol that Kafka does not have', 'kafkacache.security.protocol=TLS', /expected one of PLAINTEXT/],
    ['a mistyped option', 'cluster.groupid=x', /did you mean cluster.group.id\?/],
  ]
  for (const [what, line, reason] of refused) {
    it(`that ask for what would be dangerous to ignore are refused: ${what}`, () => {
      const { problems } = read(`kafkacache.bootstrap.servers=k:1\n${line}\n`)
      expect(problems).to.have.length(1)
      expect(problems[0])
        .to.match(/^k\.properties:2: /)
        .and.to.match(reason)
      expect(problems[0]).not.to.include('s3cret')
    })
  }
})
