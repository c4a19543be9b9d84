import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { openLink } from '../../../conformance/kit/proxied-link.ts'
import { silentLogger, systemClock } from '../../../spi/index.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../../test-servers/zookeeper.ts'
import { call, failureOf, until } from '../../shared/driver-calls.fixture.ts'
import { ERR } from '../protocol/codes.ts'
import { create, multi, OPEN, setData } from '../protocol/multi.ts'
import { exists, getData } from '../protocol/operations.ts'
import { ZkClient } from './client.ts'

const SESSION_MS = 1500

describe('a ZooKeeper session over several connections', function () {
  this.timeout(30_000)
  const clients: ZkClient[] = []
  let ensemble: ZooKeeperEnsemble
  let server: TestServer
  let nodes = 0

  before(async function () {
    await provideOrSkip(this, ensureZooKeeper)
    ensemble = await startZooKeeper()
    const [first] = ensemble.servers
    if (first === undefined) throw new Error('no server')
    server = first
  })
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy()
  })
  after(() => ensemble.stop())

  const begin = (addresses: readonly string[] = [server.endpoint], reopens = false): ZkClient => {
    const client = new ZkClient({
      endpoints: addresses.map((address) => {
        const [host = '', port] = address.split(':')
        return { host, port: Number(port) }
      }),
      tls: undefined,
      digest: undefined,
      context: { clock: systemClock, random: () => 0, logger: silentLogger },
      timeoutMs: SESSION_MS,
      patienceMs: SESSION_MS,
      reopens,
      saw: () => undefined,
    })
    clients.push(client)
    client.start()
    return client
  }
  const made = async (client: ZkClient): Promise<string> => {
    const path = `/node ${++nodes}`
    await client.send(multi([create(path, Buffer.from('x'), OPEN, 0)]), call())
    return path
  }

  it('is there before anything is asked, or tells why not', async () => {
    const client = begin()
    await client.connected(call())
    expect(client.id).to.not.equal('0x0')
    await client.connected(call())
    client.destroy()
    expect(await failureOf(client.connected(call()))).to.include({ code: 'SESSION_LOST', effect: 'none' })
    expect(await failureOf(begin(['127.0.0.1:1']).connected(call()))).to.include({ code: 'CONNECTION', effect: 'none' })
    const link = await openLink([server.endpoint], () => 0.5)
    link.blackHole('both')
    const far = begin(link.endpoints)
    expect(await failureOf(far.connected(call(50)))).to.include({ code: 'TIMEOUT', effect: 'none' })
    const abort = new AbortController()
    const waiting = failureOf(far.connected({ signal: abort.signal, timeoutMs: 5000 }))
    abort.abort(new Error('given up'))
    expect(await waiting).to.include({ message: 'given up' })
    await link.close()
  })

  it('answers in the order of the requests, with errors that are answers', async () => {
    const client = begin()
    const path = await made(client)
    const both = multi([setData(path, undefined, 0), create(path, undefined, OPEN, 0)])
    const answers = await Promise.all([
      client.send(getData(path), call()),
      client.send(exists(`${path} absent`), call()),
      client.send(both, call()),
      client.send(getData(path), call()),
    ])
    expect(answers.map((answer) => answer.ok)).to.deep.equal([true, false, true, true])
    expect(answers[1]).to.include({ error: ERR.NO_NODE })
    expect(answers[2].ok && answers[2].value).to.deep.equal({ done: false, error: ERR.NODE_EXISTS, at: 1 })
    expect(answers[3].ok && String(answers[3].value.data)).to.equal('x')
  })

  it('goes on with its connection after it stood still for less than its time', async () => {
    const client = begin()
    const path = await made(client)
    const { established } = client
    const asked = client.send(getData(path), call())
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SESSION_MS * 0.6)
    expect((await asked).ok).to.equal(true)
    await delay(SESSION_MS / 3)
    expect(client.established).to.equal(established)
  })

  it('is kept alive while nobody asks, and ends with its client', async () => {
    const client = begin()
    const path = await made(client)
    await delay(2 * SESSION_MS)
    expect((await client.send(getData(path), call())).ok).to.equal(true)
    await client.close(call())
    expect(client.isOver).to.equal(true)
    expect(await failureOf(client.send(getData(path), call()))).to.include({ code: 'SESSION_LOST', effect: 'none' })
    const other = begin(undefined, true)
    await other.send(getData(path), call())
    await other.close(call())
    expect(await failureOf(other.send(getData(path), call()))).to.include({ code: 'CLOSED', effect: 'none' })
  })

  it('is over when it was away for too long, or begins anew if it is to', async () => {
    const link = await openLink([server.endpoint], () => 0.5)
    const [one, other] = [begin(link.endpoints), begin(link.endpoints, true)]
    const path = await made(one)
    await other.send(getData(path), call())
    const { id } = other
    link.cut()
    await delay(SESSION_MS + 1200)
    link.heal()
    await until(
      () => one.isOver && other.id !== id,
      () => [one.isOver, other.id],
    )
    expect(await failureOf(one.send(getData(path), call()))).to.include({ code: 'SESSION_LOST', effect: 'none' })
    expect((await other.send(getData(path), call())).ok).to.equal(true)
    await link.close()
  })

  it('tells of a write that was on its way when the connection broke that its effect is not known', async () => {
    const link = await openLink([server.endpoint], () => 0.5)
    const client = begin(link.endpoints)
    const path = await made(client)
    link.holdReplies()
    const written = failureOf(client.send(multi([setData(path, Buffer.from('y'), -1)]), call()))
    const read = failureOf(client.send(getData(path), call()))
    await delay(20)
    link.resetAll()
    expect(await written).to.include({ code: 'CONNECTION', effect: 'unknown' })
    expect(await read).to.include({ code: 'CONNECTION', effect: 'none' })
    await link.close()
  })

  it('does not take a server that has seen less than it has', async () => {
    // of a server of its own, whose numbers are small
    const young = await startZooKeeper()
    try {
      const client = begin()
      const path = await made(client)
      const port = young.servers[0]?.endpoint ?? ''
      const link = await openLink([server.endpoint], () => 0.5)
      const moving = begin([...link.endpoints, port])
      for (let left = 30; left > 0; left--) await made(moving)
      link.cut()
      // the first may meet the connection as it breaks
      await failureOf(moving.send(getData(path), call()))
      expect(await failureOf(moving.send(getData(path), call()))).to.include({ code: 'CONNECTION', effect: 'none' })
      expect(moving.isOver).to.equal(false)
      await link.close()
    } finally {
      await young.stop()
    }
  })

  it('sends nothing of what was given up before there was a connection', async () => {
    const link = await openLink([server.endpoint], () => 0.5)
    const [client, onlooker] = [begin(link.endpoints), begin()]
    const path = await made(client)
    link.blackHole('both')
    link.resetAll()
    link.blackHole('both')
    await delay(50)
    const abort = new AbortController()
    const writing = failureOf(
      client.send(multi([setData(path, Buffer.from('y'), -1)]), { signal: abort.signal, timeoutMs: 5000 }),
    )
    abort.abort(new Error('given up'))
    expect(await writing).to.include({ message: 'given up' })
    link.heal()
    await client.send(getData(path), call(5000))
    const answer = await onlooker.send(getData(path), call())
    expect(answer.ok && String(answer.value.data)).to.equal('x')
    await link.close()
  })
})
