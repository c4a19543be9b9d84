/**
 * What a unary call costs the server's processor, by transport: an echo of 256 bytes, called by grpc-js clients in
 * another process, the transports in turn. `npm run bench:transport`; only figures of one run can be compared.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, credentials } from '@grpc/grpc-js'
import { createGrpcJsTransport } from '../keta/transport/grpc-js/grpc-js-transport.ts'
import { createHttp2Transport } from '../keta/transport/http2/http2-transport.ts'
import { unary } from '../keta/transport/transport.ts'

const TRANSPORTS = { 'grpc-js': createGrpcJsTransport, http2: createHttp2Transport }
type Name = keyof typeof TRANSPORTS

const CONNECTIONS = 10
const CALLS_EACH = 10
const WARM_UP_MS = 2_000
const MEASURED_MS = 4_000
const ROUNDS = 3
const PATH = '/bench.Echo/Echo'

if (process.send === undefined) await measureAll()
else await serve(process.argv[2] as Name)

async function measureAll(): Promise<void> {
  console.log('| transport | calls/s | server CPU µs per call |\n|---|---|---|')
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of Object.keys(TRANSPORTS) as Name[]) {
      const { calls, cpuMicros } = await measure(name)
      console.log(`| ${name} | ${Math.round((calls * 1000) / MEASURED_MS)} | ${(cpuMicros / calls).toFixed(1)} |`)
    }
  }
}

async function measure(name: Name): Promise<{ calls: number; cpuMicros: number }> {
  const server = fork(fileURLToPath(import.meta.url), [name])
  const [port] = (await once(server, 'message')) as [number]
  const clients = Array.from({ length: CONNECTIONS }, () => {
    // Each has a connection of its own.
    return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  })
  const load = { calls: 0, isOver: false }
  const loops = clients.flatMap((client) => Array.from({ length: CALLS_EACH }, () => callOn(client, load)))
  await delay(WARM_UP_MS)
  const [callsBefore, cpuBefore] = [load.calls, await cpuOf(server)]
  await delay(MEASURED_MS)
  const [calls, cpuMicros] = [load.calls - callsBefore, (await cpuOf(server)) - cpuBefore]
  load.isOver = true
  await Promise.all(loops)
  for (const client of clients) client.close()
  server.kill()
  return { calls, cpuMicros }
}

async function callOn(client: Client, load: { calls: number; isOver: boolean }): Promise<void> {
  const message = Buffer.alloc(256, 'x')
  const asIs = (bytes: Buffer): Buffer => bytes
  while (!load.isOver) {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(PATH, asIs, asIs, message, (error) => {
        if (error === null) resolve()
        else reject(error)
      })
    })
    load.calls++
  }
}

async function cpuOf(server: ChildProcess): Promise<number> {
  const answer = once(server, 'message') as Promise<[number]>
  server.send('cpu')
  return (await answer)[0]
}

async function serve(name: Name): Promise<void> {
  const asIs = (bytes: Uint8Array): Uint8Array => bytes
  const echo = unary<Uint8Array, Uint8Array>({ decode: asIs, encode: asIs, handle: (request) => request })
  const transport = TRANSPORTS[name]({
    services: new Map([['bench.Echo', new Map([['Echo', echo]])]]),
    maxRequestBytes: 2 ** 20,
    onDefect: (error) => console.error(error),
  })
  const [address] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.send?.(address?.port)
}
