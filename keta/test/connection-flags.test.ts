/** What the flags about connections do, in Keta as in etcd: both get the same flags and the same clients. */
import { once } from 'node:events'
import type { Settings } from 'node:http2'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { Watch } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { pathOf } from './api-client.fixture.ts'
import { OPENING, openSession, openSocket, openUnread } from './raw-http2.fixture.ts'
import { createRequest } from './watch-reader.fixture.ts'

const FLAGS = [
  ...['--max-concurrent-streams', '7', '--grpc-keepalive-min-time', '1h'],
  ...['--grpc-keepalive-interval', '1s', '--grpc-keepalive-timeout', '4s'],
]
const WATCH = pathOf(Watch.method.watch)

describe('flags about connections', function () {
  this.timeout(60_000)
  let servers: readonly TestServer[] = []

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureEtcd)
    servers = await Promise.all([startEtcd({ fsync: false, flags: FLAGS }), startKeta({ flags: FLAGS })])
  })
  after(() => Promise.all(servers.map((server) => server.stop())))

  /** What each of the two does. */
  const both = <Outcome>(observe: (endpoint: string) => Promise<Outcome>): Promise<Outcome[]> =>
    Promise.all(servers.map(({ endpoint }) => observe(endpoint)))

  it('say how many calls a connection may have', async () => {
    const limits = await both(async (endpoint) => {
      const session = await openSession(endpoint)
      if (session.remoteSettings.maxConcurrentStreams !== 7) await once(session, 'remoteSettings')
      const { maxConcurrentStreams }: Settings = session.remoteSettings
      session.destroy()
      return maxConcurrentStreams
    })
    expect(limits).to.deep.equal([7, 7])
  })

  it('cut off who pings too often', async () => {
    const ends = await both(async (endpoint) => {
      const session = await openSession(endpoint)
      const watch = openUnread(session, WATCH)
      watch.send(Buffer.from(createRequest({ key: Buffer.from('a') })))
      watch.onMessage(() => {
        for (let count = 0; count < 5 && !session.destroyed; count++) session.ping(() => undefined)
      })
      const [code, , text] = (await once(session, 'goaway')) as [number, number, Buffer]
      session.destroy()
      return `${code} ${String(text)}`
    })
    expect(ends).to.deep.equal(Array(2).fill('11 too_many_pings'))
  })

  it('end a connection whose client does not say that it lives, and keep the others', async () => {
    const outcomes = await both(async (endpoint) => {
      const start = performance.now()
      const living = await openSession(endpoint)
      const silent = await openSocket(endpoint)
      silent.write(OPENING)
      await once(silent.resume(), 'close')
      const seconds = (performance.now() - start) / 1000
      const isKept = !living.destroyed
      living.destroy()
      return { isKept, isInTime: seconds > 4.9 && seconds < 30 }
    })
    expect(outcomes).to.deep.equal(Array(2).fill({ isKept: true, isInTime: true }))
  })
})
