/** The embedding API: a server inside this process. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http2'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConfigurationError, createLogger, type KetaOptions, LogError, type RunningKeta, startKeta } from './index.ts'
import { answerContains, put } from './test/raw-kv.ts'

describe('startKeta', () => {
  let directory: string
  const running: RunningKeta[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-embed-'))
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((keta) => keta.stop()))
    rmSync(directory, { recursive: true, force: true })
  })

  async function start(options: KetaOptions = {}): Promise<RunningKeta> {
    const keta = await startKeta({
      dataDir: join(directory, 'd'),
      listenClientUrls: ['http://127.0.0.1:0'],
      ...options,
    })
    running.push(keta)
    return keta
  }

  it('serves etcd clients, and keeps what they wrote across a restart', async () => {
    const first = await start()
    await put(first.clientUrls[0]!, 'greeting', 'hello')
    await first.stop()
    expect(await first.stopped).to.equal(undefined)
    const second = await start()
    expect(await answerContains(second.clientUrls[0]!, 'greeting', 'hello')).to.equal(true)
  })

  it('can be stopped twice, also at once', async () => {
    const keta = await start()
    await Promise.all([keta.stop(), keta.stop()])
    await keta.stop()
  })

  it('runs several servers side by side, but only one on a data directory', async () => {
    const one = await start()
    const other = await start({ dataDir: join(directory, 'other') })
    expect(one.clientUrls).not.to.deep.equal(other.clientUrls)
    const refusal = await rejection(start())
    expect(refusal).to.be.instanceOf(LogError).and.to.have.property('code', 'LOCKED')
  })

  it('leaves nothing open when an address is taken', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    const refusal = await rejection(start({ listenClientUrls: ['http://127.0.0.1:0', `http://127.0.0.1:${port}`] }))
    expect(refusal.message).to.include('EADDRINUSE')
    blocker.close()
    await start()
  })

  it('refuses wrong options before it touches the disk', async () => {
    const refusal = await rejection(start({ maxTxnOps: -1 }))
    expect(refusal).to.be.instanceOf(ConfigurationError)
    expect(refusal.message).to.include('maxTxnOps')
    expect(existsSync(join(directory, 'd'))).to.equal(false)
  })

  it("logs to the embedder's logger", async () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'info', format: 'json', colour: false, write: (line) => lines.push(line) })
    await start({ logger })
    expect(lines.some((line) => line.includes('ready to serve client requests'))).to.equal(true)
  })
})

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('resolved')
}
