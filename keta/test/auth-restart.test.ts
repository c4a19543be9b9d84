/** Users, roles and permissions over kill -9, from the log and from snapshots; and what never lies on disk. */
import { expect } from 'chai'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Auth, KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient, failureOf } from './api-client.fixture.ts'
import type { KetaProcess } from './keta-process.ts'
import { errorsOf, kill, launch, served, temporaryDirectory } from './served.fixture.ts'

const { method } = Auth
const SMALL_FILES = ['--segment-bytes=1MiB', '--snapshot-log-bytes=1MiB', '--bcrypt-cost=4', '--log-level=debug']
const PASSWORDS = ['the-secret-of-root', 'the-secret-of-alice', 'another-secret-of-alice']
const bytes = (text: string): Buffer => Buffer.from(text)

describe('users over restarts', function () {
  this.timeout(60_000)
  let directory: string
  let keta: KetaProcess
  let client: ApiClient
  const logs: string[] = []

  beforeEach(() => {
    directory = temporaryDirectory('auth-restart')
  })
  afterEach(async () => {
    client.close()
    await kill(keta)
    rmSync(directory, { recursive: true, force: true })
  })

  async function start(flags: readonly string[]): Promise<void> {
    keta = launch(directory, [...SMALL_FILES, ...flags])
    const { endpoint } = await served(keta)
    client = new ApiClient(endpoint)
  }

  async function restart(flags: readonly string[]): Promise<void> {
    client.close()
    expect(errorsOf(keta)).to.deep.equal([])
    keta.kill('SIGKILL')
    logs.push((await keta.finished).stderr)
    await start(flags)
  }

  async function login(name: string, password: string): Promise<string> {
    client.token = undefined
    client.token = (await client.call(method.authenticate, { name, password })).token
    return client.token
  }

  /** root and alice, who may touch what begins with "a/"; auth is on. */
  async function setUp(): Promise<void> {
    const [root = '', alice = '', another = ''] = PASSWORDS
    await client.call(method.userAdd, { name: 'root', password: root })
    await client.call(method.userGrantRole, { user: 'root', role: 'root' })
    await client.call(method.roleAdd, { name: 'r' })
    const perm = { permType: 2, key: bytes('a/'), rangeEnd: bytes('a0') }
    await client.call(method.roleGrantPermission, { name: 'r', perm })
    await client.call(method.userAdd, { name: 'alice', password: alice })
    await client.call(method.userGrantRole, { user: 'alice', role: 'r' })
    await client.call(method.authEnable, {})
    await login('root', root)
    await client.call(method.userChangePassword, { name: 'alice', password: another })
  }

  async function expectAll(): Promise<void> {
    await login('root', PASSWORDS[0] ?? '')
    const { enabled, authRevision } = await client.call(method.authStatus, {})
    expect([enabled, authRevision]).to.deep.equal([true, 8n])
    expect((await client.call(method.userList, {})).users).to.deep.equal(['alice', 'root'])
    expect((await client.call(method.roleGet, { role: 'r' })).perm).to.have.length(1)
    await login('alice', PASSWORDS[2] ?? '')
    await client.call(KV.method.put, { key: bytes('a/1') })
    const refusal = await failureOf(client.call(KV.method.put, { key: bytes('b') }))
    expect(refusal.details).to.equal('etcdserver: permission denied')
  }

  for (const flags of [['--backing-cache=memory'], ['--backing-cache=lmdb']]) {
    it(`are as they were, but for their tokens (${flags.join()})`, async () => {
      await start(flags)
      await setUp()
      const token = await login('alice', PASSWORDS[2] ?? '')
      await restart(flags)
      client.token = token
      const ended = await failureOf(client.call(KV.method.range, { key: bytes('a/1') }))
      expect(ended.details).to.equal('etcdserver: invalid auth token')
      await expectAll()
      // Enough for snapshots, and for the log before them to go.
      const value = Buffer.alloc(100_000, 'v')
      for (let i = 0; i < 40; i++) await client.call(KV.method.put, { key: bytes(`a/${i}`), value })
      await restart(flags)
      await expectAll()
      if (flags.includes('--backing-cache=memory')) {
        expect(readdirSync(join(directory, 'snap')).length).to.be.greaterThan(0)
      }
      await restart(flags)
      await expectAll()
      keta.kill('SIGKILL')
      logs.push((await keta.finished).stderr)
      const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      const written = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join()
      const [prefix = ''] = token.split('.')
      expect(written).to.include('$2b$04$')
      for (const secret of [...PASSWORDS, prefix]) expect(written + logs.join(), secret).to.not.include(secret)
    })
  }

  it('keep signed tokens, which every node can check', async () => {
    const secret = join(directory, '..', `${directory.split('/').at(-1)}.secret`)
    writeFileSync(secret, 'a secret of the nodes')
    try {
      const flags = [`--auth-token=jwt,priv-key=${secret},sign-method=HS256,ttl=1h`]
      await start(flags)
      await setUp()
      const token = await login('alice', PASSWORDS[2] ?? '')
      await restart(flags)
      client.token = token
      await client.call(KV.method.put, { key: bytes('a/1') })
      const root = await login('root', PASSWORDS[0] ?? '')
      client.token = root
      await client.call(method.roleAdd, { name: 'more' })
      const old = await failureOf(client.call(KV.method.put, { key: bytes('a/1') }))
      expect(old.details).to.equal('etcdserver: revision of auth store is old')
    } finally {
      rmSync(secret)
    }
  })

  it('cannot be passed by on the link between nodes: a node that is alone does not have it', async () => {
    await start([])
    await setUp()
    client.token = undefined
    const refusal = await failureOf(client.raw('/keta.Peer/Exchange', Buffer.alloc(0)))
    expect(refusal.details).to.equal('unknown service keta.Peer')
  })
})
