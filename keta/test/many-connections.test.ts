/**
 * The real process with thousands of clients that say nothing: what each costs, and that another one does not notice.
 * KETA_SCALE=full has ten thousand of them.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import { KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from './api-client.fixture.ts'
import { FRAME, frame, OPENING } from './raw-http2.fixture.ts'
import { errorsOf, kill, residentMib, serve, type Served, temporaryDirectory } from './served.fixture.ts'

const CONNECTIONS = process.env['KETA_SCALE'] === 'full' ? 10_000 : 1_000
/** Those that are being made at the same time. */
const BATCH = 100
/** Files that this process and the server need besides. */
const FURTHER_FILES = 500
/** What each may cost the server, and what the collector of garbage may have left. */
const BYTES_EACH = 40_000
const SLACK_MIB = 40
const A = Buffer.from('a')

describe(`${CONNECTIONS} clients that say nothing`, function () {
  this.timeout(300_000)
  let directory: string
  let server: Served
  let client: ApiClient
  let sockets: readonly Socket[] = []

  before(async function () {
    const needed = CONNECTIONS + FURTHER_FILES
    // Node.js has raised the soft limit as far as it may, here and in the server.
    const files = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    if (files !== undefined && Number(files) < needed) {
      console.error(`      SKIPPED: ${needed} open files are needed, and the limit (ulimit -Hn) is ${files}`)
      this.skip()
    }
    directory = temporaryDirectory('many-connections')
    server = await serve(directory)
    client = new ApiClient(server.endpoint)
  })

  after(async () => {
    for (const socket of sockets) socket.destroy()
    client.close()
    await kill(server.process)
    rmSync(directory, { recursive: true, force: true })
  })

  /** One put and one range after the other until `action` is done; resolves to how long the slowest took, in ms. */
  async function servedMeanwhile(action: Promise<unknown>): Promise<number> {
    const done = new AbortController()
    const finished = action.finally(() => done.abort())
    let slowest = 0
    while (!done.signal.aborted) {
      const start = performance.now()
      const { header } = await client.call(KV.method.put, { key: A, value: A })
      const { kvs } = await client.call(KV.method.range, { key: A })
      expect(kvs[0]?.modRevision).to.equal(header?.revision)
      slowest = Math.max(slowest, performance.now() - start)
      await delay(1)
    }
    await finished
    return slowest
  }

  const openFiles = (): number => readdirSync(`/proc/${server.process.child.pid}/fd`).length

  it('cost little memory each, harm nobody, and are forgotten when they go', async () => {
    await servedMeanwhile(delay(1_000))
    const [before, filesBefore] = [residentMib(server.process), openFiles()]
    const slowest = await servedMeanwhile(
      (async () => {
        for (let count = 0; count < CONNECTIONS; count += BATCH) {
          const batch = await Promise.all(Array.from({ length: BATCH }, () => openIdle(server.endpoint)))
          sockets = [...sockets, ...batch]
        }
      })(),
    )
    const grown = residentMib(server.process) - before
    console.log(`      ${Math.round((grown * 2 ** 20) / CONNECTIONS)} bytes for each connection, resident`)
    console.log(`      the slowest put and range of another client while they came: ${slowest.toFixed(0)} ms`)
    expect(openFiles() - filesBefore).to.equal(CONNECTIONS)
    expect(grown).to.be.lessThan((CONNECTIONS * BYTES_EACH) / 2 ** 20 + SLACK_MIB)
    expect(slowest).to.be.lessThan(2_000)
    for (const socket of sockets) socket.destroy()
    while (openFiles() > filesBefore) await delay(20)
    expect(errorsOf(server.process)).to.deep.equal([])
    await servedMeanwhile(delay(100))
  })
})

/** Resolves when the server has sent its settings, and has acknowledged those of the client. */
function openIdle(endpoint: string): Promise<Socket> {
  const [host = '', port = ''] = endpoint.split(':')
  const acknowledged = frame(FRAME.settings, 1, 0, Buffer.alloc(0))
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host)
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.once('connect', () => socket.write(Buffer.concat([OPENING, acknowledged])))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.includes(acknowledged)) resolve(socket)
    })
  })
}
