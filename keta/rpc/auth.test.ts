import { expect } from 'chai'
import { Auth, KV, Lease, Maintenance, Watch } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { call, refusalOf, servedEngine, type Shown, TestStream, utf8 } from './test-client.fixture.ts'

const { method } = Auth
const DENIED = '7: etcdserver: permission denied'
const EMPTY = '3: etcdserver: user name is empty'
const BAD_TOKEN = '16: etcdserver: invalid auth token'

describe('the Auth service', () => {
  let letters = 0
  const served = servedEngine({ random: (count) => new Uint8Array(count).fill(++letters % 256) })
  const { services } = served

  beforeEach(async () => {
    await addUser('root', 'root')
    await call(services, method.roleAdd, { name: 'r' })
    const perm = { permType: 2, key: utf8('a'), rangeEnd: utf8('b') }
    await call(services, method.roleGrantPermission, { name: 'r', perm })
    await addUser('alice', 'r')
    await call(services, method.authEnable, {})
  })

  async function addUser(name: string, role: string): Promise<void> {
    await call(services, method.userAdd, { name, password: `${name}'s secret` })
    await call(services, method.userGrantRole, { user: name, role })
  }

  async function login(name: string, password = `${name}'s secret`): Promise<string> {
    return (await call(services, method.authenticate, { name, password })).token
  }

  const put = (key: string, shown?: Shown) => call(services, KV.method.put, { key: utf8(key) }, shown)
  const get = (key: string, token?: string, rangeEnd = '') =>
    call(services, KV.method.range, { key: utf8(key), rangeEnd: utf8(rangeEnd) }, token)

  it('gives a token for a password, with which a user may do what is granted', async () => {
    const alice = await login('alice')
    expect(alice).to.match(/^[a-zA-Z]{16}\.\d+$/)
    expect((await put('a', alice)).header?.revision).to.equal(2n)
    expect((await get('a', alice)).count).to.equal(1n)
    expect(await refusalOf(put('b', alice))).to.equal(DENIED)
    expect(await refusalOf(get('a', alice, 'c'))).to.equal(DENIED)
    expect(await refusalOf(put('a'))).to.equal(EMPTY)
    expect(await refusalOf(put('a', 'nonsense'))).to.equal(BAD_TOKEN)
    expect(await refusalOf(put('a', `${alice}0`))).to.equal(BAD_TOKEN)
  })

  it('takes a token with "Bearer " before it, also under its other name', async () => {
    const alice = await login('alice')
    const unary = services.get('etcdserverpb.KV')?.get('Range')
    if (unary?.kind !== 'unary') throw new Error('Range is not there')
    const request = unary.decode(Buffer.from('0a0161', 'hex'))
    const metadata = (name: string) => (name === 'authorization' ? `Bearer ${alice}` : undefined)
    expect(await unary.handle(request, { metadata, peer: 'test', onClosed: () => undefined })).to.be.instanceOf(
      Uint8Array,
    )
  })

  it('refuses whoever does not know the password, or is not there, in the same words', async () => {
    const failed = '3: etcdserver: authentication failed, invalid user ID or password'
    expect(await refusalOf(login('alice', 'guess'))).to.equal(failed)
    expect(await refusalOf(login('nobody', 'guess'))).to.equal(failed)
    const root = await login('root')
    await call(services, method.userAdd, { name: 'carol', options: { noPassword: true } }, root)
    expect(await refusalOf(login('carol', ''))).to.equal(
      '2: auth: authentication failed, password was given for no password user',
    )
    await call(services, method.authDisable, {}, root)
    expect(await refusalOf(login('alice'))).to.equal('9: etcdserver: authentication is not enabled')
  })

  it('lets nobody but root change anything: alice cannot make herself root (a hole of Java Keta)', async () => {
    const alice = await login('alice')
    const attempts = [
      call(services, method.userGrantRole, { user: 'alice', role: 'root' }, alice),
      call(services, method.userList, {}, alice),
      call(services, method.roleList, {}, alice),
      call(services, method.authDisable, {}, alice),
      call(services, method.authStatus, {}, alice),
      call(services, method.userAdd, { name: 'mallory', password: 'x' }, alice),
      call(services, method.userChangePassword, { name: 'root', password: 'x' }, alice),
      call(services, method.userGet, { name: 'root' }, alice),
      call(services, method.roleGet, { role: 'root' }, alice),
      call(services, Maintenance.method.hash, {}, alice),
      call(services, KV.method.compact, { revision: 1n }, alice),
    ]
    for (const attempt of attempts) expect(await refusalOf(attempt)).to.equal(DENIED)
    expect((await call(services, method.userGet, { name: 'alice' }, alice)).roles).to.deep.equal(['r'])
    expect((await call(services, method.roleGet, { role: 'r' }, alice)).perm).to.have.length(1)
  })

  it('keeps the roles of a user whose password changes (a hole of Java Keta)', async () => {
    const root = await login('root')
    const alice = await login('alice')
    await call(services, method.userChangePassword, { name: 'alice', password: 'new' }, root)
    expect(await refusalOf(get('a', alice))).to.equal(BAD_TOKEN)
    expect(await refusalOf(login('alice'))).to.match(/^3: /)
    expect((await get('a', await login('alice', 'new'))).count).to.equal(0n)
  })

  it('shows root what it may do, if the role is there', async () => {
    const root = await login('root')
    const ask = () => call(services, method.roleGet, { role: 'root' }, root)
    expect(await refusalOf(ask())).to.equal('9: etcdserver: role name not found')
    await call(services, method.roleAdd, { name: 'root' }, root)
    expect((await ask()).perm).to.deep.include.members([
      { $typeName: 'authpb.Permission', permType: 2, key: Buffer.alloc(0), rangeEnd: Buffer.from([0]) },
    ])
  })

  it('writes neither passwords nor tokens into the log', async () => {
    const alice = await login('alice')
    const root = await login('root')
    await call(services, method.userChangePassword, { name: 'alice', password: 'another secret' }, root)
    let dumped = ''
    for await (const records of served.log.read(0)) {
      for (const { bytes } of records) dumped += Buffer.from(bytes).toString('latin1')
    }
    expect(dumped).to.include('alice')
    expect(dumped).to.include('$2b$04$')
    for (const secret of ["alice's secret", 'another secret', alice.split('.')[0] ?? '', root.split('.')[0] ?? '']) {
      expect(dumped).to.not.include(secret)
    }
  })

  it('refuses a watch of what may not be read, in the words that clients look for, and goes on', async () => {
    const alice = await login('alice')
    const stream = new TestStream(services, Watch.method.watch, alice)
    const create = (key: string, rangeEnd = '') =>
      stream.send({ requestUnion: { case: 'createRequest', value: { key: utf8(key), rangeEnd: utf8(rangeEnd) } } })
    await create('a', 'c')
    await create('a', 'b')
    const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied'
    expect(stream.answers[0]).to.include({ watchId: -1n, created: true, canceled: true, cancelReason: reason })
    expect(stream.answers[1]).to.include({ watchId: 0n, created: true, canceled: false })
    const root = await login('root')
    await call(services, method.userChangePassword, { name: 'alice', password: 'new' }, root)
    await create('a', 'b')
    expect(stream.answers[2]?.cancelReason).to.equal(
      'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    )
    const nobody = new TestStream(services, Watch.method.watch)
    await nobody.send({ requestUnion: { case: 'createRequest', value: { key: utf8('a') } } })
    expect(nobody.answers[0]?.cancelReason).to.equal(
      'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    )
    stream.close()
    nobody.close()
  })

  it('keeps a lease from whoever may not write its keys', async () => {
    const [alice, root] = [await login('alice'), await login('root')]
    const { leaseGrant, leaseKeepAlive, leaseLeases, leaseRevoke, leaseTimeToLive } = Lease.method
    await call(services, leaseGrant, { ID: 5n, TTL: 60n }, alice)
    await call(services, KV.method.put, { key: utf8('z'), lease: 5n }, root)
    expect(await refusalOf(call(services, leaseRevoke, { ID: 5n }, alice))).to.equal(DENIED)
    expect(await refusalOf(call(services, leaseTimeToLive, { ID: 5n, keys: true }, alice))).to.equal(DENIED)
    expect((await call(services, leaseTimeToLive, { ID: 5n }, alice)).keys).to.have.length(0)
    expect(await refusalOf(call(services, leaseLeases, {}, alice))).to.equal(DENIED)
    expect(await refusalOf(call(services, KV.method.put, { key: utf8('a'), lease: 5n }, alice))).to.equal(DENIED)
    const stream = new TestStream(services, leaseKeepAlive, alice)
    await stream.send({ ID: 5n })
    expect(stream.failure?.message).to.equal('etcdserver: permission denied')
    expect((await call(services, leaseRevoke, { ID: 5n }, root)).header?.revision).to.equal(3n)
  })

  it('refuses a password that bcrypt would cut', async () => {
    const root = await login('root')
    const long = call(services, method.userAdd, { name: 'x', password: 'p'.repeat(73) }, root)
    expect(await refusalOf(long)).to.equal('2: bcrypt: password length exceeds 72 bytes')
  })

  it('asks signed tokens for the revision under which they were signed', async () => {
    const author = { user: 'alice', authRevision: served.engine.access.revision }
    const signedTokens = { canSign: true, sign: () => 'signed', verify: () => author }
    const passwords = { hash: () => Promise.resolve('h'), matches: () => Promise.resolve(true) }
    served.serve({ credentials: { passwords, signedTokens } })
    expect(await login('alice')).to.equal('signed')
    await put('a', 'signed')
    author.authRevision--
    expect(await refusalOf(put('a', 'signed'))).to.equal('3: etcdserver: revision of auth store is old')
    expect(await refusalOf(get('a', 'signed'))).to.equal('3: etcdserver: revision of auth store is old')
    author.authRevision += 2
    expect(await refusalOf(get('a', 'signed'))).to.equal('3: etcdserver: revision of auth store is old')
    served.serve({ credentials: { passwords, signedTokens: { ...signedTokens, canSign: false } } })
    expect(await refusalOf(login('alice'))).to.equal('2: auth: token signing attempted with verify-only key')
  })

  it('takes the name in a certificate for the user, where there is no token', async () => {
    const certificate = { commonName: 'alice' }
    await put('a', { certificate })
    expect(await refusalOf(put('b', { certificate }))).to.equal(DENIED)
    expect(await refusalOf(put('a', { certificate, token: 'nonsense' }))).to.equal(BAD_TOKEN)
  })
})
