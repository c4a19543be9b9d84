/** Backups of a running server, by etcdctl and by our own command, and what is restored from them. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../test-servers/etcd.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { etcdctl, type Output } from './etcdctl.ts'
import { runKeta } from './keta-process.ts'
import { kill, type Served, serve, temporaryDirectory } from './served.fixture.ts'

describe('a backup', function () {
  this.timeout(120_000)
  const directory = temporaryDirectory('backup')
  const path = (name: string): string => join(directory, name)
  const started: Served[] = []

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
  })
  afterEach(async () => {
    for (const { process } of started.splice(0)) await kill(process)
  })

  async function start(name: string): Promise<Served> {
    const server = await serve(path(name))
    started.push(server)
    return server
  }

  const run = ({ endpoint }: Pick<Served, 'endpoint'>, command: string): Promise<Output> =>
    etcdctl({ endpoint } as Parameters<typeof etcdctl>[0], command.split(' '))

  async function fill(server: Served): Promise<void> {
    await run(server, 'put k v1')
    await run(server, 'put k v2')
    for (let i = 0; i < 20; i++) await run(server, `put many/${i} ${'x'.repeat(10_000)}`)
    await run(server, 'del many/3')
    await run(server, 'compaction 3')
    const granted = await run(server, 'lease grant 6000 -w json')
    const id = BigInt(/"ID":(\d+)/.exec(granted.stdout)?.[1] ?? 0).toString(16)
    await run(server, `put leased x --lease=${id}`)
  }

  it('of etcdctl is restored to the same data, revisions and leases, and the server goes on from there', async () => {
    const original = await start('original')
    await fill(original)
    const saved = await run(original, `snapshot save ${path('by-etcdctl')}`)
    expect(saved).to.include({ code: 0 })
    await run(original, 'put later than-the-backup')
    const { code, stderr } = await runKeta(['snapshot', 'restore', path('by-etcdctl'), '--data-dir', path('restored')])
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' })
    const restored = await start('restored')
    await run(original, 'del later')
    for (const command of ['get --from-key a', 'get --from-key a --rev 3', 'lease list']) {
      expect((await run(restored, command)).stdout).to.equal((await run(original, command)).stdout)
    }
    const revision = async (server: Served): Promise<number> => {
      const { stdout } = await run(server, 'get k -w json')
      return Number(/"revision":(\d+)/.exec(stdout)?.[1])
    }
    expect(await revision(restored)).to.equal((await revision(original)) - 2)
    expect((await run(restored, 'put more x')).code).to.equal(0)
    expect(await revision(restored)).to.equal((await revision(original)) - 1)
    await kill(restored.process)
    const again = await start('restored')
    expect((await run(again, 'get more --print-value-only')).stdout).to.equal('x\n')
  })

  it('of our own command tells its hash, revision, keys and size', async () => {
    const server = await start('told')
    await fill(server)
    const saved = await runKeta(['snapshot', 'save', path('own'), '--endpoints', server.endpoint])
    expect(saved).to.include({ code: 0, stderr: '' })
    const hashed = await run(server, 'endpoint hashkv -w json')
    const told = await runKeta(['snapshot', 'status', path('own'), '-w', 'json'])
    expect(JSON.parse(told.stdout)).to.deep.equal({
      hash: Number(/"hash":(\d+)/.exec(hashed.stdout)?.[1]),
      revision: 25,
      totalKey: 21,
      totalSize: readFileSync(path('own')).length,
    })
    expect((await runKeta(['snapshot', 'status', path('own')])).stdout).to.match(/\| {7}25 \| {9}21 \|/)
  })

  it('that is damaged, cut off or something else is refused, and nothing is made of it', async () => {
    const server = await start('refused')
    await fill(server)
    await run(server, `snapshot save ${path('whole')}`)
    const whole = readFileSync(path('whole'))
    const attempts: Readonly<Record<string, [() => void, RegExp]>> = {
      damaged: [
        () => {
          const bytes = Buffer.from(whole)
          bytes[1000] = (bytes[1000] ?? 0) ^ 1
          writeFileSync(path('damaged'), bytes)
        },
        /SHA-256 does not hold/,
      ],
      short: [
        () => {
          writeFileSync(path('short'), whole)
          truncateSync(path('short'), whole.length - 100)
        },
        /not whole/,
      ],
      long: [
        () => {
          writeFileSync(path('long'), whole)
          appendFileSync(path('long'), Buffer.alloc(512))
        },
        /SHA-256 does not hold/,
      ],
      other: [() => writeFileSync(path('other'), Buffer.alloc(1024, 7)), /not a backup of Keta/],
      absent: [() => undefined, /ENOENT/],
    }
    for (const [name, [make, reason]] of Object.entries(attempts)) {
      make()
      const { code, stderr } = await runKeta(['snapshot', 'restore', path(name), '--data-dir', path(`from-${name}`)])
      expect(code).to.equal(1)
      expect(stderr).to.match(reason)
      expect(existsSync(path(`from-${name}`)), name).to.equal(false)
    }
  })

  it('of etcd is refused by name', async () => {
    const etcd = await startEtcd({ fsync: false })
    try {
      await run(etcd, `snapshot save ${path('of-etcd')}`)
      const { code, stderr } = await runKeta(['snapshot', 'status', path('of-etcd')])
      expect(code).to.equal(1)
      expect(stderr).to.include("etcd's own are not read")
    } finally {
      await etcd.stop()
    }
  })

  it('is not restored over anything', async () => {
    const server = await start('kept')
    await run(server, `snapshot save ${path('spare')}`)
    mkdirSync(path('used'))
    writeFileSync(path('used/file'), '')
    const { code, stderr } = await runKeta(['snapshot', 'restore', path('spare'), '--data-dir', path('used')])
    expect(code).to.equal(1)
    expect(stderr).to.include('is not empty')
    expect(existsSync(path('used/file'))).to.equal(true)
  })

  it('is asked for with every word that is needed, or refused with exit code 2', async () => {
    const wrong = [[], ['save'], ['restore', 'f'], ['status', 'f', '-w', 'xml'], ['steal', 'f'], ['save', 'f', '--x']]
    const outcomes = await Promise.all(wrong.map((words) => runKeta(['snapshot', ...words])))
    expect(outcomes.map(({ code }) => code)).to.deep.equal(wrong.map(() => 2))
    expect((await runKeta(['snapshot', '--help'])).code).to.equal(0)
    const nobody = await runKeta(['snapshot', 'save', path('nobody'), '--endpoints', '127.0.0.1:1'])
    expect(nobody.code).to.equal(1)
    expect(existsSync(path('nobody'))).to.equal(false)
  })
})
