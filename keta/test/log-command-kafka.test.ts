/** `keta log` on the topic of a cluster, while its node runs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensureKafka, type KafkaCluster, startKafka } from '../../test-servers/kafka.ts'
import { type KetaCluster, startKetaCluster } from '../../test-servers/keta-cluster.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from './api-client.fixture.ts'
import { KetaProcess, runKeta } from './keta-process.ts'
import { temporaryDirectory } from './served.fixture.ts'

const VALUE = Buffer.alloc(64 * 1024, 's')

describe('keta log on Kafka', function () {
  this.timeout(60_000)
  const directory = temporaryDirectory('log-command-kafka')
  const file = join(directory, 'keta.yaml')
  let kafka: KafkaCluster
  let cluster: KetaCluster | undefined
  let client: ApiClient
  const run = (...words: string[]) => runKeta(['log', ...words, '--config', file])
  const put = (key: string, value = Buffer.from('secret')) =>
    client.call(KV.method.put, { key: Buffer.from(key), value })

  before(async function () {
    await provideOrSkip(this, () => ensureKafka('3.9'))
    kafka = await startKafka({ brokers: 1 })
    cluster = await startKetaCluster({
      bootstrapServers: () => kafka.bootstrapServers,
      name: 'looked-at',
      nodes: 1,
      flags: ['--snapshot-log-bytes', '1MiB'],
    })
    client = new ApiClient(cluster.endpoints[0] ?? '', { reconnectMs: 50 })
    configure('looked-at-log')
  })
  after(async () => {
    client.close()
    await cluster?.stop()
    await kafka.stop()
  })

  function configure(topic: string): void {
    writeFileSync(file, `kafka-bootstrap-servers: ${kafka.bootstrapServers}\nkafka-topic: ${topic}\n`)
  }

  it('shows the records, and those that come', async () => {
    await put('a')
    const dumped = await run('dump')
    expect(dumped).to.include({ code: 0, stderr: '' })
    expect(dumped.stdout).to.match(/^ {7}0 {2}1\.0 {2}claim {2}member/)
    expect(dumped.stdout).to.match(/put {2}"a" value of 6 bytes\n/)
    expect(dumped.stdout).to.not.include('secret')
    const watching = new KetaProcess(['log', 'tail', '-n', '1000', '-f', '--config', file])
    try {
      await watching.said('"a"')
      await put('b')
      await watching.said('"b"')
    } finally {
      watching.kill('SIGINT')
    }
    const { code, stdout } = await watching.finished
    expect(code).to.equal(0)
    const offsets = stdout
      .trimEnd()
      .split('\n')
      .map((line) => Number.parseInt(line, 10))
    expect(offsets).to.deep.equal(offsets.map((_, index) => (offsets[0] ?? 0) + index))
  })

  it('replays it, from a snapshot once it no longer begins at its beginning', async () => {
    const whole = await run('verify', '--json')
    expect(whole.code, whole.stderr).to.equal(0)
    expect(JSON.parse(whole.stdout)).to.include({ startOffset: 0, revision: 3 })
    let revision = 3n
    for (let found: { snapshotOffset?: number; revision?: number } = {}; found.snapshotOffset === undefined; ) {
      for (let n = 0; n < 20; n++) revision = (await put(`k${n % 3}`, VALUE)).header?.revision ?? 0n
      const { code, stdout, stderr } = await run('verify', '--json')
      expect(code, stderr).to.equal(0)
      found = JSON.parse(stdout) as typeof found
      expect(found.revision).to.equal(Number(revision))
    }
  })

  it('creates nothing, and says what is missing', async () => {
    configure('elsewhere')
    const missing = await run('verify')
    expect(missing.code).to.equal(1)
    expect(missing.stderr).to.include('there is no topic elsewhere')
    expect((await run('dump')).stderr).to.include('there is no topic elsewhere')
    writeFileSync(file, 'kafka-topik: x\n')
    expect(await run('dump')).to.include({ code: 2 })
    expect((await run('dump')).stderr).to.include('did you mean kafka-topic?')
  })
})
