import { existsSync, readFileSync } from 'node:fs'
import { connect as plainConnect } from 'node:net'
import { connect } from 'node:tls'
import { expect } from 'chai'
import { visit } from '../backends/zookeeper/foreign-client.fixture.ts'
import { acceptsConnections } from './ports.ts'
import { provideOrSkip, type TestServer } from './server.ts'
import { ensureZooKeeper, startZooKeeper, SUPERUSER, type ZooKeeperEnsemble } from './zookeeper.ts'

/** Of ZooKeeper's protocol: an operation, and the refusal of a client that the server closes the session of. */
const EXISTS = 3
const REQUIRES_AUTHENTICATION = -124

describe('a real ZooKeeper as a test server', function () {
  this.timeout(600_000)
  let ensemble: ZooKeeperEnsemble | undefined

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
  })

  afterEach(async () => {
    await ensemble?.stop()
    ensemble = undefined
  })

  it('keeps its endpoint and data over kill and restart, and leaves nothing behind', async () => {
    ensemble = await startZooKeeper()
    const [server] = ensemble.servers
    if (!server) throw new Error('no server')
    expect(ensemble.connectString).to.equal(server.endpoint)
    await create(server, '/before')
    await server.kill()
    expect(await acceptsConnections(server.endpoint)).to.equal(false)
    await server.restart()
    await create(server, '/after')
    expect(await children(server)).to.include.members(['before', 'after'])
    await ensemble.stop()
    await ensemble.stop()
    expect(existsSync(server.dataDir)).to.equal(false)
    expect(await acceptsConnections(server.endpoint)).to.equal(false)
  })

  it('of three servers goes on without one of them, whichever it is', async () => {
    ensemble = await startZooKeeper({ servers: 3 })
    const [one, two, three] = ensemble.servers
    if (!one || !two || !three) throw new Error('not three servers')
    for (const [victim, other] of [
      [one, two],
      [two, three],
      [three, one],
    ] as const) {
      await victim.kill()
      await ensemble.ready()
      await create(other, `/without-${victim.name}`)
      await victim.restart()
      expect(await children(victim)).to.include(`without-${victim.name}`)
    }
  })

  it('of three servers starts one by one', async () => {
    ensemble = await startZooKeeper({ servers: 3 })
    const { servers } = ensemble
    for (const server of servers) await server.kill()
    for (const server of servers) await server.restart()
    await ensemble.ready()
    for (const [index, server] of servers.entries()) await create(server, `/${index}`)
  })

  it('takes only clients that say who they are, and lets each keep its own', async () => {
    ensemble = await startZooKeeper({ accessControl: true })
    const { connectString } = ensemble
    const as = (digest: string) => ({ digest })
    await visit(connectString, (visitor) => visitor.createPrivate('/alice', null), as('alice:wonder-land'))
    const look = (digest: string): Promise<unknown> =>
      visit(connectString, (visitor) => visitor.data('/alice'), as(digest))
    await look('alice:wonder-land')
    await look(`${SUPERUSER.username}:${SUPERUSER.password}`)
    expect(await failure(look('alice:guess'))).to.match(/NO_AUTH/)
    expect(await answerToNobody(connectString)).to.equal(REQUIRES_AUTHENTICATION)
  })

  it('speaks TLS, and asks clients for their certificate if a property says so', async () => {
    ensemble = await startZooKeeper({ tls: true, properties: { 'ssl.clientAuth': 'need' } })
    const [endpoint = ''] = ensemble.secureEndpoints
    const { caFile, certFile, keyFile } = ensemble.tls ?? expect.fail('no certificates')
    const ca = readFileSync(caFile)
    const own = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
    expect(await askSecurely(endpoint, { ca, ...own })).to.match(/^Mode: standalone$/m)
    expect(await failure(askSecurely(endpoint, own))).to.match(/certificate/)
    expect(await failure(askSecurely(endpoint, { ca }))).to.match(/alert/)
  })

  it('says why it did not start', async () => {
    expect(await failure(startZooKeeper({ properties: { tickTime: 'often' } }))).to.match(/"often"/)
  })
})

function create({ endpoint }: TestServer, path: string): Promise<void> {
  return visit(endpoint, (visitor) => visitor.create(path, null))
}

function children({ endpoint }: TestServer): Promise<readonly string[]> {
  return visit(endpoint, (visitor) => visitor.children('/'))
}

/** The error code of the answer to who asks, without having said who it is, whether the root is there. */
function answerToNobody(endpoint: string): Promise<number> {
  const [host = '', port = '0'] = endpoint.split(':')
  const [noBytes, root] = [int(0), Buffer.concat([int(1), Buffer.from('/')])]
  const session = Buffer.concat([int(0), Buffer.alloc(8), int(4000), Buffer.alloc(8), noBytes])
  const request = Buffer.concat([int(1), int(EXISTS), root, Buffer.alloc(1)])
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const socket = plainConnect(Number(port), host, () => {
      for (const frame of [session, request]) socket.write(Buffer.concat([int(frame.length), frame]))
    })
    socket.on('data', (bytes) => (received = Buffer.concat([received, bytes])))
    socket.on('error', reject)
    socket.on('close', () => {
      // behind the answer to the session come a length, the number of the request and that of the last change
      resolve(received.readInt32BE(4 + received.readInt32BE(0) + 4 + 4 + 8))
    })
  })
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

interface Identity {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

function askSecurely(endpoint: string, identity: Identity): Promise<string> {
  const [host = '', port = '0'] = endpoint.split(':')
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ host, port: Number(port), ...identity }, () => socket.write('srvr'))
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', reject)
    socket.on('end', () => {
      resolve(answer)
    })
  })
}

async function failure(outcome: Promise<unknown>): Promise<string> {
  return outcome.then(
    () => 'it worked',
    (error: unknown) => String(error),
  )
}
