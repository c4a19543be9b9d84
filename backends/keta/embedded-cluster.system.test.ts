import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { isCoordinationError, type PluginHost, silentLogger } from '../../spi/index.ts'
import { type KafkaCluster, startKafka } from '../../test-servers/kafka.ts'
import { freePort } from '../../test-servers/ports.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { KetaPluginLocator } from './index.ts'

const START_MS = 30_000

describe('nodes of one cluster within the brokers’ processes', function () {
  this.timeout(60_000)
  let kafka: KafkaCluster | undefined
  let directory: string

  before(async function () {
    this.timeout(0)
    kafka = await provideOrSkip(this, () => startKafka())
  })
  after(async () => {
    if (kafka !== undefined) await kafka.stop()
  })
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-embedded-cluster-'))
  })
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true })
  })

  const host = (name: string, config: Readonly<Record<string, string>> = {}): PluginHost => ({
    logger: silentLogger,
    sessionTimeoutMs: 4000,
    config: {
      'plugin.keta.embedded': 'true',
      'plugin.keta.data.dir': join(directory, name),
      'plugin.keta.listen': 'http://127.0.0.1:0',
      'plugin.keta.kafka.bootstrap.servers': kafka?.bootstrapServers ?? '',
      ...config,
    },
  })

  const startNode = async (name: string): Promise<KetaPluginLocator> => {
    const locator = new KetaPluginLocator()
    const config = { 'plugin.keta.kafka.topic': 'three', 'plugin.keta.cluster.group.id': 'three' }
    const named = { ...config, 'plugin.keta.server.options': `name=${name},kafka-client-id=broker-${name}` }
    await locator.startup('plugin.properties', host(name, named), { timeoutMs: START_MS })
    return locator
  }

  it('share what is written, agree on one leader, and go on without the node that goes', async () => {
    const names = ['a', 'b', 'c']
    const nodes = await Promise.all(names.map(startNode))
    const [a, b, c] = nodes as [KetaPluginLocator, KetaPluginLocator, KetaPluginLocator]
    try {
      const seen: (string | undefined)[] = []
      await c.getListenerRegistry().addValueChangeListener('/shared', { valueChanged: (text) => void seen.push(text) })
      await a.getStorage().put('/shared', 'by a')
      expect(await b.getStorage().fetch('/shared')).to.equal('by a')
      await b.getStorage().update('/shared', 'by b')
      expect(await c.getStorage().fetch('/shared')).to.equal('by b')

      await Promise.all(nodes.map((node, at) => node.getLeaderElection('throne').nominate(String(names[at]))))
      const leaders = await Promise.all(nodes.map((node) => node.getLeaderElection('throne').getLeader()))
      expect(new Set(leaders).size, leaders.join()).to.equal(1)

      // each in its turn, so that the one that leads the cluster is among them
      await a.shutdown()
      await b.getStorage().update('/shared', 'after a', { timeoutMs: START_MS })
      await b.shutdown()
      await c.getStorage().update('/shared', 'after b', { timeoutMs: START_MS })
      expect(await c.getLeaderElection('throne').awaitLeadership('c', { timeoutMs: START_MS })).to.include({
        held: true,
      })
      while (seen.at(-1) !== 'after b') await delay(10)
    } finally {
      await Promise.all(nodes.map((node) => node.shutdown()))
    }

    await using again = await startNode('a')
    expect(await again.getStorage().fetch('/shared')).to.equal('after b')
  })

  it('give up their start in time where no Kafka answers, and leave the data directory free', async () => {
    const nobody = { 'plugin.keta.kafka.bootstrap.servers': `127.0.0.1:${await freePort()}` }
    const locator = new KetaPluginLocator()
    const before = performance.now()
    const error: unknown = await locator
      .startup('plugin.properties', host('x', nobody), { timeoutMs: 1500 })
      .catch((reason: unknown) => reason)
    expect(performance.now() - before).to.be.below(5000)
    expect(isCoordinationError(error, 'TIMEOUT') || isCoordinationError(error, 'CONNECTION'), String(error)).to.equal(
      true,
    )
    await locator.shutdown()
    await using next = new KetaPluginLocator()
    const config = { 'plugin.keta.kafka.topic': 'later', 'plugin.keta.cluster.group.id': 'later' }
    await next.startup('plugin.properties', host('x', config), { timeoutMs: START_MS })
    expect(await next.getStorage().fetch('/nothing')).to.equal(undefined)
  })

  it('name the property of what the server refuses, and show no secret', async () => {
    const config = {
      'plugin.keta.kafka.topic': 'not a topic',
      'plugin.keta.kafka.sasl.password': 'geheim',
      'plugin.keta.server.options': 'leader-silence=1ms',
    }
    const error: unknown = await new KetaPluginLocator()
      .startup('plugin.properties', host('x', config))
      .catch((reason: unknown) => reason)
    expect(error).to.include({ code: 'CONFIG' })
    expect(String(error))
      .to.include('plugin.keta.kafka.topic: ')
      .and.include('plugin.keta.kafka.sasl.password: ')
      .and.include('plugin.keta.server.options: leaderSilence')
      .and.not.include('geheim')
  })
})
