import { existsSync, readFileSync } from 'node:fs'
import { createServer, connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import { ensureKafka, startKafka, type KafkaCluster } from './kafka.ts'
import { acceptsConnections } from './ports.ts'
import { provideOrSkip } from './server.ts'

describe('a real Kafka as a test server', function () {
  this.timeout(600_000)
  let cluster: KafkaCluster | undefined

  before(async function () {
    await provideOrSkip(this, () => Promise.all([ensureKafka('3.9'), ensureKafka('4')]))
  })

  afterEach(async () => {
    await cluster?.stop()
    cluster = undefined
  })

  for (const version of ['3.9', '4'] as const) {
    it(`${version} keeps its endpoint and data over kill and restart, and leaves nothing behind`, async () => {
      cluster = await startKafka({ version })
      const [broker] = cluster.brokers
      if (!broker) throw new Error('no broker')
      expect(cluster.bootstrapServers).to.equal(broker.endpoint)
      await createTopic(cluster, 'letters')
      await send(cluster, 'letters', 'before')
      await broker.kill()
      expect(await acceptsConnections(broker.endpoint)).to.equal(false)
      await broker.restart()
      await cluster.ready()
      await send(cluster, 'letters', 'after')
      expect(await readAll(cluster, 'letters', 2)).to.deep.equal(['before', 'after'])
      await cluster.stop()
      await cluster.stop()
      expect(existsSync(broker.dataDir)).to.equal(false)
      expect(await acceptsConnections(broker.endpoint)).to.equal(false)
    })
  }

  it('of three brokers goes on without one of them', async () => {
    cluster = await startKafka({ brokers: 3 })
    await createTopic(cluster, 'letters')
    await send(cluster, 'letters', 'by three')
    await cluster.brokers[0]?.kill()
    await cluster.ready()
    await send(cluster, 'letters', 'by two')
    await cluster.brokers[0]?.restart()
    await cluster.ready()
    expect(await readAll(cluster, 'letters', 2)).to.deep.equal(['by three', 'by two'])
  })

  it('stands behind the proxies that it is told to advertise', async () => {
    let connections = 0
    const proxy = createServer((client: Socket) => {
      connections += 1
      const server = connect(Number(target.split(':')[1]), '127.0.0.1')
      client.pipe(server).pipe(client)
      for (const socket of [client, server]) socket.on('error', () => [client, server].map((end) => end.destroy()))
    })
    await new Promise<void>((resolve) => {
      proxy.listen(0, '127.0.0.1', resolve)
    })
    const address = proxy.address()
    let target = ''
    const advertised = (_index: number, endpoint: string): string => {
      target = endpoint
      return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    }
    cluster = await startKafka({ advertised })
    try {
      await createTopic(cluster, 'letters')
      await send(cluster, 'letters', 'by proxy')
      expect(cluster.bootstrapServers).to.not.equal(target)
      expect(connections).to.be.greaterThan(1)
    } finally {
      proxy.close()
    }
  })

  it('takes only the users that it was given, by each way to say who asks', async () => {
    const users = { alice: 'wonder-land' }
    cluster = await startKafka({ security: 'sasl_ssl', users })
    await createTopic(cluster, 'letters', login('plain', users.alice))
    await send(cluster, 'letters', 'in secret', login('scram-sha-256', users.alice))
    await send(cluster, 'letters', 'again', login('scram-sha-512', users.alice))
    expect(await readAll(cluster, 'letters', 2, login('plain', users.alice))).to.deep.equal(['in secret', 'again'])
    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
      expect(await failure(send(cluster, 'letters', 'no', login(mechanism, 'guess')))).to.match(/SASL/)
    }
  })

  it('asks clients for their certificate if a property says so', async () => {
    cluster = await startKafka({
      security: 'ssl',
      properties: { 'listener.name.client.ssl.client.auth': 'required' },
    })
    await createTopic(cluster, 'letters')
    await send(cluster, 'letters', 'signed')
    expect(await readAll(cluster, 'letters', 1)).to.deep.equal(['signed'])
    const nobody: Partial<KafkaConfig> = {
      ssl: { ca: readFileSync(cluster.tls?.caFile ?? '') },
      retry: { retries: 0 },
    }
    expect(await failure(send(cluster, 'letters', 'unsigned', nobody))).to.match(/alert bad certificate/)
  })

  for (const [security, mechanism] of [
    ['sasl_plain', 'plain'],
    ['sasl_scram', 'scram-sha-256'],
  ] as const) {
    it(`speaks ${security}`, async () => {
      cluster = await startKafka({ security })
      const as = login(mechanism, 'secret', 'keta')
      await createTopic(cluster, 'letters', as)
      await send(cluster, 'letters', 'hello', as)
      expect(await readAll(cluster, 'letters', 1, as)).to.deep.equal(['hello'])
    })
  }

  it('has its own timeouts when it is stock', async () => {
    cluster = await startKafka({ stock: true, properties: { 'num.partitions': '7' } })
    const text = readFileSync(`${cluster.brokers[0]?.dataDir}/data/server.properties`, 'utf8')
    expect(text).to.include('num.partitions=7').and.not.include('session.timeout')
  })

  it('says why it did not start', async () => {
    const refused = startKafka({ properties: { 'num.io.threads': 'many' } })
    expect(await failure(refused)).to.match(/num\.io\.threads/)
  })
})

function login(mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password: string, username = 'alice') {
  // the union of kafkajs tells the mechanisms apart by one literal each
  return { sasl: { mechanism: mechanism as 'plain', username, password } }
}

function client({ bootstrapServers, tls }: KafkaCluster, as: Partial<KafkaConfig> = {}): Kafka {
  const read = (file: string): string => readFileSync(file, 'utf8')
  const ssl = tls && { ca: read(tls.caFile), cert: read(tls.certFile), key: read(tls.keyFile) }
  const brokers = bootstrapServers.split(',')
  const retry = { retries: 20, maxRetryTime: 500 }
  return new Kafka({ brokers, logLevel: logLevel.NOTHING, retry, ...(ssl && { ssl }), ...as })
}

async function createTopic(cluster: KafkaCluster, topic: string, as?: Partial<KafkaConfig>): Promise<void> {
  const admin = client(cluster, as).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic }], waitForLeaders: false })
  await admin.disconnect()
}

async function send(cluster: KafkaCluster, topic: string, value: string, as?: Partial<KafkaConfig>): Promise<void> {
  const producer = client(cluster, as).producer({ maxInFlightRequests: 1 })
  try {
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ value }] })
  } finally {
    await producer.disconnect()
  }
}

/** The first `count` values of the topic. */
async function readAll(
  cluster: KafkaCluster,
  topic: string,
  count: number,
  as?: Partial<KafkaConfig>,
): Promise<readonly string[]> {
  const consumer = client(cluster, as).consumer({ groupId: 'readers', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values: string[] = []
  await new Promise<void>((resolve, reject) => {
    const eachMessage = ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
      values.push(String(message.value))
      if (values.length === count) resolve()
      return Promise.resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return values
}

async function failure(outcome: Promise<unknown>): Promise<string> {
  return outcome.then(
    () => 'it worked',
    (error: unknown) => String(error),
  )
}
