import { expect } from 'chai'
import { setImmediate } from 'node:timers/promises'
import { setMaxListeners } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pluginContext, Secret, silentLogger, toBytes } from '../../spi/index.ts'
import { freePort } from '../../test-servers/ports.ts'
import type { Commit, KeyChange, ReadCall, Seat } from '../shared/driver.ts'
import { startServedHarness } from './harness.fixture.ts'
import { Journal } from './journal.ts'
import { MemoryDriver } from './memory-driver.ts'
import { encodeFrame, FrameReader } from './protocol.ts'
import { connectServed } from './served-access.ts'
import { serveStore, type ServeOptions } from './server.ts'
import { Store } from './store.ts'

const CALL: ReadCall = { signal: new AbortController().signal, timeoutMs: 2_000, consistency: 'linearizable' }
// all calls have this one signal
setMaxListeners(0, CALL.signal)

const LEADER: Seat = { kind: 'leader', service: 's' }

async function makeDriver(endpoint: string, password?: string, sessionTimeoutMs = 2_000): Promise<MemoryDriver> {
  const context = pluginContext({ logger: silentLogger, sessionTimeoutMs, clusterId: 'c' })
  const secret = password === undefined ? undefined : new Secret(password)
  return new MemoryDriver(await connectServed({ endpoints: [endpoint], password: secret }, context, CALL), context)
}

function commitOf(session: string, number: number, key: string, text: string): Commit {
  const change: KeyChange = { key, expect: 'anything', become: toBytes(text) }
  return { id: { session, slot: 0, number, after: number - 1 }, changes: [change], fence: undefined }
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const { code, effect } = error as { code?: unknown; effect?: unknown }
  return { code, effect }
}

describe('the served store', () => {
  const cleanups: (() => unknown)[] = []
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'memory-'))
    cleanups.push(() => rmSync(folder, { recursive: true }))
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  async function serve(options: Partial<ServeOptions> = {}): Promise<string> {
    const served = await serveStore({ port: 0, ...options })
    cleanups.push(() => served[Symbol.asyncDispose]())
    return served.endpoint
  }

  async function connect(...args: Parameters<typeof makeDriver>): Promise<MemoryDriver> {
    const driver = await makeDriver(...args)
    cleanups.push(() => driver.close())
    return driver
  }

  /** A server that speaks as far as `answer` does. */
  async function fakeServer(answer: (socket: Socket, message: unknown, at: number) => void): Promise<string> {
    const server: Server = createServer((socket) => {
      const reader = new FrameReader()
      let messages = 0
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        for (const message of reader.push(chunk)) answer(socket, message, messages++)
      })
      cleanups.push(() => socket.destroy())
    })
    const port = await freePort()
    await new Promise<void>((resolve) => {
      server.listen(port, '127.0.0.1', resolve)
    })
    cleanups.push(() => server.close())
    return `127.0.0.1:${port}`
  }

  it('keeps what it acknowledged through kill -9: values, versions, seats, tokens, sessions', async () => {
    await using harness = await startServedHarness()
    const [server] = harness.hooks.servers ?? []
    const a = await connect(harness.endpoints[0] ?? '', 'open sesame', 5_000)
    const { id: session } = await a.openSession(5_000, CALL)
    const before = await a.takeSeat(LEADER, { id: '1', session, nonce: 'n', data: toBytes('d') }, CALL)
    let acknowledged = 0
    // one after the other, without end: the kill comes while one is under way
    const writing = (async () => {
      for (let number = 1; ; number++) {
        const { committed } = await a.commit(commitOf(session, number, `/k${number}`, `${number}`), CALL)
        if (committed) acknowledged = number
      }
    })().catch((error: unknown) => error)
    while (acknowledged < 100) await setImmediate()
    await server?.kill()
    expect(await writing).to.include({ name: 'CoordinationError' })
    await server?.start()
    expect(a.capabilities.persistent).to.equal(true)
    const b = await connect(harness.endpoints[0] ?? '', 'open sesame', 5_000)
    expect((await b.read(`/k${acknowledged}`, CALL))?.text).to.equal(`${acknowledged}`)
    expect(await b.readSeat(LEADER, CALL)).to.deep.equal(before)
    expect(await a.renewSession(session, CALL)).to.deep.equal({ id: session, ttlMs: 5_000 })
    await b.emptySeat(LEADER, before.token, CALL)
    const after = await b.takeSeat(LEADER, { id: '1', session, nonce: 'm', data: toBytes('') }, CALL)
    expect(after.token > before.token).to.equal(true)
  })

  it('drops an operation that was cut off in its writing, and goes on behind the last whole one', () => {
    const path = join(folder, 'journal')
    const write = (id: string) => {
      using journal = Journal.open(path, new Store())
      journal.append('openSession', [id, 1])
    }
    write('a')
    const whole = statSync(path).size
    write('b')
    truncateSync(path, statSync(path).size - 1)
    const store = new Store()
    Journal.open(path, store)[Symbol.dispose]()
    expect([...store.sessions().keys()]).to.deep.equal(['a'])
    expect(statSync(path).size).to.equal(whole)
    write('c')
    const again = new Store()
    Journal.open(path, again)[Symbol.dispose]()
    expect([...again.sessions().keys()]).to.deep.equal(['a', 'c'])
  })

  it('refuses a file that is not a journal, and leaves it as it is', async () => {
    const path = join(folder, 'journal')
    appendFileSync(path, encodeFrame('something else'))
    const before = readFileSync(path)
    const failure = await serveStore({ port: 0, data: path }).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure).to.have.property('message', `${path} is not a journal of this store`)
    expect(readFileSync(path)).to.deep.equal(before)
  })

  it('gives no token twice, also if it forgets everything with its process', async () => {
    const takes = async () => {
      await using served = await serveStore({ port: 0 })
      const driver = await makeDriver(served.endpoint)
      const { id: session } = await driver.openSession(1_000, CALL)
      const { token } = await driver.takeSeat(LEADER, { id: '1', session, nonce: 'n', data: toBytes('') }, CALL)
      expect(driver.capabilities).to.include({ persistent: false, multiProcess: true })
      await driver.close()
      return token
    }
    const first = await takes()
    expect((await takes()) > first).to.equal(true)
  })

  it('lets in who knows the password, and keeps who is restricted out of one cluster', async () => {
    const restricted = { password: 'little', forbiddenCluster: 'c' }
    const endpoint = await serve({ access: { password: 'all', restricted } })
    expect(await failureOf(makeDriver(endpoint, 'wrong'))).to.deep.equal({ code: 'AUTHENTICATION', effect: 'none' })
    expect(await failureOf(makeDriver(endpoint))).to.deep.equal({ code: 'AUTHENTICATION', effect: 'none' })
    const little = await connect(endpoint, 'little')
    const { id } = await little.openSession(1_000, CALL)
    const refused = { code: 'AUTHORIZATION', effect: 'none' }
    expect(await failureOf(little.commit(commitOf(id, 1, '/k', 'v'), CALL))).to.deep.equal(refused)
    expect(await failureOf(little.read('/k', CALL))).to.deep.equal(refused)
    const follow = little.followKey('/k', { reset: () => {}, changed: () => {}, failed: () => {} })
    expect(await failureOf(follow.active)).to.deep.equal(refused)
    const all = await connect(endpoint, 'all')
    expect((await all.commit(commitOf(id, 1, '/k', 'v'), CALL)).committed).to.equal(true)
  })

  it('says of a request without an answer that it may have been done, of a read that it was not', async () => {
    const endpoint = await fakeServer((socket, _message, at) => {
      if (at === 0) socket.write(encodeFrame({ persistent: true }))
    })
    const driver = await connect(endpoint)
    const brief = { ...CALL, timeoutMs: 20 }
    expect(await failureOf(driver.commit(commitOf('s', 1, '/k', 'v'), brief))).to.deep.equal({
      ...{ code: 'TIMEOUT', effect: 'unknown' },
    })
    expect(await failureOf(driver.read('/k', brief))).to.deep.equal({ code: 'TIMEOUT', effect: 'none' })
  })

  it('says the same of a connection that breaks, and of one that cannot be had that nothing was sent', async () => {
    let refuse = false
    const endpoint = await fakeServer((socket, _message, at) => {
      if (at === 0 && !refuse) socket.write(encodeFrame({ persistent: true }))
      else socket.destroy()
    })
    const driver = await connect(endpoint)
    const write = () => failureOf(driver.commit(commitOf('s', 1, '/k', 'v'), CALL))
    expect(await write()).to.deep.equal({ code: 'CONNECTION', effect: 'unknown' })
    refuse = true
    expect(await write()).to.deep.equal({ code: 'CONNECTION', effect: 'none' })
  })

  it('gives a connection up on which nothing comes any more', async () => {
    let connections = 0
    const endpoint = await fakeServer((socket, message, at) => {
      if (at === 0 && ++connections > 0) socket.write(encodeFrame({ persistent: true }))
      else if (connections > 1) socket.write(encodeFrame({ id: (message as { id: number }).id, result: 7 }))
    })
    const driver = await connect(endpoint, undefined, 1_000)
    expect(await failureOf(driver.renewSession('s', { ...CALL, timeoutMs: 1_100 }))).to.include({ code: 'TIMEOUT' })
    expect(await driver.renewSession('s', CALL)).to.deep.equal({ id: 's', ttlMs: 7 })
    expect(connections).to.equal(2)
  })

  it('tries the endpoints in turn', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    const endpoint = await serve()
    const context = pluginContext({ logger: silentLogger, sessionTimeoutMs: 1_000 })
    const access = await connectServed({ endpoints: [dead, endpoint], password: undefined }, context, CALL)
    cleanups.push(() => access.close())
    expect(await access.ask('sessions', [], CALL)).to.have.property('size', 0)
  })

  it('resumes a follow after a cut with all that was missed', async () => {
    const port = await freePort()
    const data = join(folder, 'journal')
    const endpoint = `127.0.0.1:${port}`
    let served = await serveStore({ port, data })
    cleanups.push(() => served[Symbol.asyncDispose]())
    const a = await connect(endpoint)
    const { id } = await a.openSession(60_000, CALL)
    const told: string[] = []
    let resets = 0
    const follow = a.followKey('/k', {
      reset: () => {
        resets++
      },
      changed: (changes) => told.push(changes.get('/k')?.text ?? 'gone'),
      failed: () => undefined,
    })
    cleanups.push(() => follow.close())
    await follow.active
    await a.commit(commitOf(id, 1, '/k', '1'), CALL)
    await served[Symbol.asyncDispose]()
    served = await serveStore({ port, data })
    const b = await connect(endpoint)
    for (const number of [2, 3]) await b.commit(commitOf(id, number, '/k', `${number}`), CALL)
    for (let wait = 0; wait < 200 && told.length < 3; wait++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 10)
      })
    }
    expect(told).to.deep.equal(['1', '2', '3'])
    expect(resets).to.equal(1)
  })

  it('outlives a client that speaks something else', async () => {
    const endpoint = await serve()
    const { connect: dial } = await import('node:net')
    const stranger = dial(Number(endpoint.split(':')[1]), '127.0.0.1')
    stranger.on('error', () => undefined)
    const closed = new Promise((resolve) => {
      stranger.on('close', resolve)
    })
    stranger.write('GET / HTTP/1.1\r\n\r\n')
    await closed
    const driver = await connect(endpoint)
    expect(await driver.read('/k', CALL)).to.equal(undefined)
  })
})
