import { ChannelCredentials } from '@grpc/grpc-js'
import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { isCoordinationError, pluginContext, silentLogger } from '../../../spi/index.ts'
import { type ManualClock, makeManualClock } from '../../memory/manual-clock.fixture.ts'
import { Cluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { openEtcdDriver } from './driver.ts'
import { meaningOf, RpcError } from './rpc-status.ts'

const LIMIT_MS = 1_000
const NEVER = new AbortController().signal

describe('a server that cannot be reached', () => {
  let clock: ManualClock
  let server: Server
  let endpoint: string
  const sockets: Socket[] = []
  const opened: { close(): void }[] = []

  /** Takes connections, as the kernel does for a process that is stopped, and says nothing. */
  beforeEach(async () => {
    clock = makeManualClock()
    server = createServer((socket) => sockets.push(socket.on('error', () => undefined)))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    for (const one of opened.splice(0)) one.close()
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close()
  })

  function kept<T extends { close(): void }>(one: T): T {
    opened.push(one)
    return one
  }

  function cluster(): Cluster {
    return kept(
      new Cluster({
        backend: 'etcd',
        endpoints: [endpoint],
        credentials: ChannelCredentials.createInsecure(),
        user: undefined,
        attemptMs: LIMIT_MS,
        context: { clock, random: () => 0 },
      }),
    )
  }

  const KINDS = ['read', 'write'] as const

  function asked(one: Cluster, kind: (typeof KINDS)[number]): Promise<unknown> {
    const answer = one[kind]({ signal: NEVER, timeoutMs: LIMIT_MS }, (etcd, options) => etcd.kv.range({}, options))
    return answer.catch((error: unknown) => error)
  }

  for (const kind of KINDS) {
    it(`and is silent makes a ${kind} fail with TIMEOUT when its time is up, and nothing was sent`, async () => {
      const answer = asked(cluster(), kind)
      await once(server, 'connection')
      clock.advance(LIMIT_MS)
      const error = await answer
      expect(isCoordinationError(error, 'TIMEOUT'), String(error)).to.equal(true)
      expect(error).to.include({ effect: 'none', retriable: true })
    })

    it(`and refuses makes a ${kind} fail with CONNECTION at once`, async () => {
      server.close()
      await once(server, 'close')
      const error = await asked(cluster(), kind)
      expect(isCoordinationError(error, 'CONNECTION'), String(error)).to.equal(true)
      expect(error).to.include({ effect: 'none', retriable: true })
    })
  }

  it('and refuses makes opening fail with CONNECTION, also if the time is up during an attempt', async () => {
    server.close()
    await once(server, 'close')
    const context = pluginContext({ clock, random: () => 0, sessionTimeoutMs: LIMIT_MS, logger: silentLogger })
    const options = { backend: 'etcd', endpoints: [endpoint], user: undefined, prefix: '', context }
    const opening = openEtcdDriver(
      { ...options, credentials: ChannelCredentials.createInsecure() },
      { signal: NEVER, timeoutMs: LIMIT_MS },
    ).catch((error: unknown) => error)
    for (let count = 0; count < 10; count++) {
      clock.advance(0)
      await delay(5)
    }
    // the pause is over, and the next attempt begins
    clock.advance(0)
    while (clock.waiting === 0) await Promise.resolve()
    clock.advance(LIMIT_MS)
    const error = await opening
    expect(isCoordinationError(error, 'CONNECTION'), String(error)).to.equal(true)
  })

  it('and is given up for its silence was silent for all that wait for it', async () => {
    const credentials = ChannelCredentials.createInsecure()
    const connection = kept(new Connection(endpoint, { credentials, clock, graceMs: LIMIT_MS }))
    const limits = { signal: NEVER, timeoutMs: LIMIT_MS, metadata: {} }
    const answer = connection.request((etcd, options) => etcd.kv.range({}, options), limits)
    const failed = answer.catch((error: unknown) => error)
    await once(server, 'connection')
    await nextTurn()
    connection.close()
    const error = await failed
    if (!(error instanceof RpcError)) throw error
    expect(meaningOf(error.status)).to.deep.equal({ code: 'TIMEOUT', effect: 'none' })
    expect(clock.waiting).to.equal(0)
  })
})
