/** The HTTP side of the real server: its options, and what slow and greedy clients cost it. */
import { expect } from 'chai'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../test-servers/ports.ts'
import { HttpClient } from './http-client.fixture.ts'
import { errorsOf, residentMib, serve, type Served, temporaryDirectory } from './served.fixture.ts'

const MIB = 1024 * 1024

describe('the server over HTTP', function () {
  this.timeout(60_000)
  let served: Served | undefined
  const clients: HttpClient[] = []

  const start = async (...flags: readonly string[]): Promise<HttpClient> => {
    served = await serve(temporaryDirectory('http'), flags)
    return clientOf(served.endpoint)
  }

  const clientOf = (endpoint: string): HttpClient => {
    const client = new HttpClient(endpoint)
    clients.push(client)
    return client
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    served?.process.kill('SIGTERM')
    await served?.process.finished
    served = undefined
  })

  it('follows its options', async () => {
    const port = await freePort()
    const client = await start(
      '--enable-grpc-gateway=false',
      '--cors=http://a.example',
      '--host-whitelist=127.0.0.1,keta',
      `--listen-metrics-urls=http://127.0.0.1:${port}`,
    )
    expect(await client.send({ path: '/v3/kv/range', body: '{}' })).to.include({ status: 404 })
    expect(await client.send({ path: '/readyz' })).to.include({ status: 200, body: 'ok\n' })
    expect(await client.send({ path: '/version', headers: { Host: 'evil' } })).to.include({ status: 421 })
    const { headers } = await client.send({ path: '/version', headers: { Origin: 'http://a.example' } })
    expect(headers).to.include({ 'access-control-allow-origin': 'http://a.example' })
    const metrics = clientOf(`127.0.0.1:${port}`)
    expect((await metrics.send({ path: '/metrics', headers: { Host: 'any' } })).body).to.include(
      'etcd_server_has_leader 1\n',
    )
    expect(await metrics.send({ path: '/health' })).to.include({ status: 200 })
    expect(await metrics.send({ path: '/version' })).to.include({ status: 404 })
  })

  it('stops with streams open, telling their clients', async () => {
    const client = await start()
    const watch = client.send({ path: '/v3/watch', body: '{"create_request":{"key":"YQ=="}}' })
    const metrics = async () => (await client.send({ path: '/metrics' })).body
    while (!(await metrics()).includes('etcd_debugging_mvcc_watcher_total 1\n')) await delay(20)
    served?.process.kill('SIGTERM')
    const { body } = await watch
    expect(body).to.match(/"created":true.*\n\{"error":\{"code":14,"message":"server is stopping"\}\}\n$/)
    expect(await served?.process.finished).to.include({ code: 0 })
    expect(served && errorsOf(served.process)).to.deep.equal([])
  })

  it('keeps little for watches whose clients do not read', async () => {
    const client = await start()
    const value = Buffer.alloc(256 * 1024, 7).toString('base64')
    const [, port = ''] = served?.endpoint.split(':') ?? []
    const body = '{"create_request":{"key":"YQ=="}}'
    const sockets = Array.from({ length: 20 }, () => connect(Number(port), '127.0.0.1'))
    for (const socket of sockets) {
      socket.write(`POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      await once(socket, 'data')
      socket.pause()
    }
    await client.call('/v3/kv/put', { key: 'YQ==', value })
    const before = residentMib(served!.process)
    // Without a bound 20 clients would be kept 20 · 200 · 350 KiB: more than a gigabyte.
    for (let count = 0; count < 200; count++) {
      const { header } = (await client.call('/v3/kv/put', { key: 'YQ==', value })) as { header: { revision: string } }
      if (count % 20 === 19) await client.call('/v3/kv/compaction', { revision: header.revision, physical: true })
    }
    expect(residentMib(served!.process) - before).to.be.below(400)
    for (const socket of sockets) socket.destroy()
    expect(await client.send({ path: '/livez' })).to.include({ status: 200 })
    expect(errorsOf(served!.process)).to.deep.equal([])
  })

  it('keeps little of a request that has no end', async () => {
    const client = await start('--max-request-bytes=64KiB')
    const [, port = ''] = served?.endpoint.split(':') ?? []
    const socket = connect(Number(port), '127.0.0.1')
    const ended = new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
    })
    socket.on('error', () => undefined)
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.write(`POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: ${1024 * MIB}\r\n\r\n{"key":"`)
    const piece = 'A'.repeat(MIB)
    while (!socket.destroyed && answer === '') {
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), ended])
    }
    await ended
    // A client that does not read while it writes may find the connection reset instead.
    expect(answer).to.match(/^(?:HTTP\/1.1 429 |$)/)
    expect(residentMib(served!.process)).to.be.below(400)
    expect(await client.send({ path: '/livez' })).to.include({ status: 200 })
    expect(errorsOf(served!.process)).to.deep.equal([])
  })
})
