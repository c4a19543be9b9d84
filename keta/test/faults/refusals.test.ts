/** Starts on a real Kafka that must be refused, or must wait: with which words, and that nothing is lost by it. */
import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'
import { FINE, startProxy, type TcpProxy } from '../../../conformance/kit/proxy.ts'
import { type KafkaCluster, startKafka } from '../../../test-servers/kafka.ts'
import { freePort } from '../../../test-servers/ports.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { KV } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient, failureOf } from '../api-client.fixture.ts'
import { KetaProcess } from '../keta-process.ts'
import { kill } from '../served.fixture.ts'
import { toBytes, toText } from './kv-wire.ts'

const READY = 'ready to serve client requests'
const TOPIC_RESOURCE = 2

describe('a node whose log is in Kafka', function () {
  this.timeout(120_000)
  let directory: string
  let kafka: KafkaCluster
  let proxy: TcpProxy | undefined
  let admin: Admin
  let producer: Producer
  let topics = 0
  let topic: string
  const started: KetaProcess[] = []
  const clients: ApiClient[] = []

  before(async function () {
    directory = mkdtempSync(join(tmpdir(), 'keta-refusals-'))
    const advertised = async (_: number, endpoint: string): Promise<string> => {
      proxy = await startProxy(endpoint, () => 0.5)
      return proxy.endpoint
    }
    kafka = await provideOrSkip(this, () => startKafka({ security: 'sasl_plain', advertised }))
    const client = new Kafka({ brokers: kafka.internalServers.split(','), logLevel: logLevel.NOTHING })
    admin = client.admin()
    producer = client.producer()
    await Promise.all([admin.connect(), producer.connect()])
  })
  after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await kafka.stop()
    await proxy?.close()
    rmSync(directory, { recursive: true, force: true })
  })
  beforeEach(() => {
    topic = `refusals-${++topics}`
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    for (const keta of started.splice(0)) await kill(keta)
  })

  interface Node {
    readonly process: KetaProcess
    readonly endpoint: string
  }

  async function start(name: string, flags: readonly string[] = [], password = 'secret'): Promise<Node> {
    const endpoint = `127.0.0.1:${await freePort()}`
    const process = new KetaProcess(
      [
        ...['--name', name, '--data-dir', join(directory, `${topic}-${name}`)],
        ...['--listen-client-urls', `http://${endpoint}`, '--advertise-client-urls', `http://${endpoint}`],
        ...['--kafka-bootstrap-servers', kafka.bootstrapServers, '--kafka-topic', topic, '--cluster-group-id', topic],
        ...['--kafka-security-protocol', 'SASL_PLAINTEXT', '--kafka-sasl-mechanism', 'PLAIN'],
        ...['--kafka-sasl-username', 'keta', '--kafka-session-timeout', '2s', ...flags],
      ],
      { KETA_KAFKA_SASL_PASSWORD: password },
    )
    started.push(process)
    return { process, endpoint }
  }

  function clientOf({ endpoint }: Node): ApiClient {
    const client = new ApiClient(endpoint)
    clients.push(client)
    return client
  }

  async function put(node: Node, key: string, value: string): Promise<void> {
    await clientOf(node).call(KV.method.put, { key: toBytes(key), value: toBytes(value) })
  }

  async function valueAt(node: Node, key: string): Promise<string | undefined> {
    const { kvs } = await clientOf(node).call(KV.method.range, { key: toBytes(key) })
    return kvs[0] && toText(kvs[0].value)
  }

  /** The last line of a process that ended with 1. */
  async function refusalOf({ process }: Node): Promise<{ msg: string; text: string; advice: string }> {
    const { code, stderr } = await process.finished
    expect(code, stderr).to.equal(1)
    expect(stderr).not.to.match(/secret|guessed/)
    const line = process.log.at(-1)
    return { msg: line?.msg ?? '', text: messagesIn(line?.['error']), advice: String(line?.['advice']) }
  }

  it('is refused a topic that could lose data, with the commands that mend it, which do', async () => {
    const configEntries = [
      { name: 'retention.ms', value: '1000000' },
      { name: 'cleanup.policy', value: 'compact' },
    ]
    await admin.createTopics({
      topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }],
      waitForLeaders: false,
    })
    const { msg, text, advice } = await refusalOf(await start('a'))
    expect(msg).to.equal('could not start')
    expect(text).to.include(`topic ${topic} could lose data`)
    expect(text).to.include('retention.ms is 1000000 and must be -1')
    expect(text).to.include('cleanup.policy is compact and must be delete')
    expect(advice).to.include('run the commands')
    const mends = [...text.matchAll(/--add-config ([^=\s]+)=(\S+)/g)]
    const mended = mends.map(([, name = '', value = '']) => ({ name, value }))
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries: mended }],
    })
    await untilConfigured(topic, mended)
    await (await start('a')).process.logged(READY)
  })

  it('says that its credentials are wrong', async () => {
    const { text, advice } = await refusalOf(await start('a', [], 'guessed'))
    expect(text).to.match(/[Aa]uthentication/)
    expect(advice).to.include('--kafka-sasl-')
  })

  it('ends when another member has its advertised URL, and leaves that one in peace', async () => {
    const first = await start('a')
    await first.process.logged(READY)
    await put(first, 'k', 'before')
    const second = await start('b', ['--advertise-client-urls', `http://${first.endpoint}`])
    const { msg, text, advice } = await refusalOf(second)
    expect(msg).to.equal('stopped because of a failure')
    expect(text).to.include(`the advertised URL http://${first.endpoint}`)
    expect(advice).to.include('--advertise-client-urls')
    await put(first, 'k', 'after')
    expect(await valueAt(first, 'k')).to.equal('after')
  })

  it('serves no write without a member that may lead, says so, and serves when there is one', async () => {
    const follower = await start('a', ['--leader-eligibility=false'])
    await follower.process.logged('no member of the cluster is eligible to lead')
    const { details } = await failureOf(put(follower, 'k', 'v'))
    expect(details).to.equal('etcdserver: no leader')
    await (await start('b')).process.logged('this node leads')
    await put(follower, 'k', 'v')
    expect(await valueAt(follower, 'k')).to.equal('v')
  })

  it('waits for a Kafka that is not there yet, and starts when it is', async () => {
    proxy?.set({ ...FINE, refuses: true })
    try {
      const node = await start('a')
      const { level } = await node.process.logged('waiting for Kafka: trying again')
      expect(level).to.equal('warn')
      await delay(500)
      expect(node.process.log.some(({ msg }) => msg === READY)).to.equal(false)
      proxy?.set(FINE)
      await node.process.logged(READY)
      await put(node, 'k', 'v')
    } finally {
      proxy?.set(FINE)
    }
  })

  it('is refused a data directory that belongs to another log', async () => {
    const first = await start('a')
    await first.process.logged(READY)
    await put(first, 'k', 'v')
    first.process.kill('SIGTERM')
    await first.process.finished
    const { text } = await refusalOf(await start('a', ['--kafka-topic', `${topic}-other`]))
    expect(text).to.match(/another|other log/)
    const again = await start('a')
    await again.process.logged(READY)
    expect(await valueAt(again, 'k')).to.equal('v')
  })

  it('is refused a topic in which somebody else writes, without having written there', async () => {
    await (await start('a')).process.logged('this node leads')
    await stopAll()
    const before = await endOf(topic)
    await producer.send({ topic, messages: [{ value: 'not a record of any log of ours, but long enough to be one' }] })
    const { text, advice } = await refusalOf(await start('b'))
    expect(text).to.include(`the record at offset ${before}`)
    expect(advice).to.include('another program writes to the topic')
    expect(await endOf(topic)).to.equal(before + 1)
  })

  it('is refused a log that a newer release has written to, without having written there', async () => {
    const node = await start('a')
    await node.process.logged('this node leads')
    await stopAll()
    const before = await endOf(topic)
    const newer = Buffer.alloc(64)
    newer[0] = 2
    await producer.send({ topic, messages: [{ value: newer }] })
    const { text, advice } = await refusalOf(await start('a'))
    expect(text).to.include(`the record at offset ${before}: log record of format 2`)
    expect(advice).to.include('start that release')
    expect(await endOf(topic)).to.equal(before + 1)
  })

  async function stopAll(): Promise<void> {
    for (const keta of started.splice(0)) {
      keta.kill('SIGTERM')
      await keta.finished
    }
  }

  /** The controller has answered; brokers learn of it one by one. */
  async function untilConfigured(name: string, expected: readonly { name: string; value: string }[]): Promise<void> {
    for (;;) {
      const resources = [{ type: TOPIC_RESOURCE, name }]
      const { resources: found } = await admin.describeConfigs({ resources, includeSynonyms: false })
      const entries = found.flatMap(({ configEntries }) => configEntries)
      const values = new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
      if (expected.every((entry) => values.get(entry.name) === entry.value)) return
      await delay(10)
    }
  }

  async function endOf(name: string): Promise<number> {
    const [partition] = await admin.fetchTopicOffsets(name)
    return Number(partition?.high)
  }
})

/** Those of the error and of its causes. */
function messagesIn(error: unknown): string {
  const messages: string[] = []
  for (let next = error; typeof next === 'object' && next !== null; next = 'cause' in next ? next.cause : undefined) {
    if ('message' in next) messages.push(String(next.message))
  }
  return messages.join('\n')
}
