/**
 * What forwarding costs in our own code: a leader and a follower in this process (`forward-nodes.ts`), and requests to
 * either in turn, through the table of services as a transport calls it. The difference in CPU is what it costs both
 * nodes together that the follower was asked. `npm run bench:forward`; only figures of one run can be compared.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { create, toBinary } from '@bufbuild/protobuf'
import { PutRequestSchema, TxnRequestSchema } from '../keta/proto/gen/etcdserverpb/rpc_pb.js'
import { type BenchNode, openPair } from './forward-nodes.ts'

const ROUNDS = 7
const IN_FLIGHT = 100
const KEYS = 5_000

interface Shape {
  readonly name: string
  readonly method: 'Put' | 'Txn'
  readonly requests: () => readonly Buffer[]
  readonly calls: number
}

const SHAPES: readonly Shape[] = [
  { name: 'put of 256 bytes', method: 'Put', requests: () => puts(256, KEYS), calls: 20_000 },
  { name: 'put of 64 KiB', method: 'Put', requests: () => puts(65_536, 20), calls: 400 },
  { name: 'txn of 1 put', method: 'Txn', requests: () => txns(1, KEYS), calls: 20_000 },
  { name: 'txn of 100 puts', method: 'Txn', requests: () => txns(100, 50), calls: 400 },
]

// Each has a process of its own: what one leaves in memory must not burden the next.
const own = SHAPES.find(({ name }) => name === process.argv[2])
if (own !== undefined) await measure(own)
else {
  console.log('| request | to the leader, µs | to the follower, µs | forwarding, µs |\n|---|---|---|---|')
  for (const { name } of SHAPES) await once(fork(fileURLToPath(import.meta.url), [name]), 'exit')
}

async function measure(shape: Shape): Promise<void> {
  const { leader, follower } = await openPair()
  const requests = shape.requests()
  const direct: number[] = []
  const forwarded: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const costs = [await cpuPerCall(leader, shape, requests), await cpuPerCall(follower, shape, requests)] as const
    // The first round warms up.
    if (round === 0) continue
    direct.push(costs[0])
    forwarded.push(costs[1])
  }
  // Whatever else the machine did can only have added to it.
  const [one, other] = [Math.min(...direct), Math.min(...forwarded)]
  console.log(`| ${shape.name} | ${one.toFixed(1)} | ${other.toFixed(1)} | ${(other - one).toFixed(1)} |`)
  process.exit(0)
}

async function cpuPerCall(
  { table }: BenchNode,
  { method: name, calls }: Shape,
  requests: readonly Buffer[],
): Promise<number> {
  const method = table.get('etcdserverpb.KV')?.get(name)
  if (method?.kind !== 'unary') throw new Error(`there is no ${name}`)
  const call = { metadata: () => undefined, peer: 'bench', onClosed: () => undefined }
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < calls) {
      const request = requests[next++ % requests.length]
      if (request !== undefined) method.encode(await method.handle(method.decode(request), call))
    }
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / calls
}

function puts(valueBytes: number, count: number): readonly Buffer[] {
  const value = randomBytes(valueBytes)
  return Array.from({ length: count }, (_, index) =>
    Buffer.from(toBinary(PutRequestSchema, create(PutRequestSchema, { key: keyOf(index), value }))),
  )
}

function txns(operations: number, count: number): readonly Buffer[] {
  const value = randomBytes(256)
  return Array.from({ length: count }, (_, index) => {
    const success = Array.from({ length: operations }, (_, at) => {
      return { request: { case: 'requestPut' as const, value: { key: keyOf(index * operations + at), value } } }
    })
    return Buffer.from(toBinary(TxnRequestSchema, create(TxnRequestSchema, { success })))
  })
}

function keyOf(index: number): Buffer {
  return Buffer.from(String((index * 7919) % KEYS).padStart(16, '0'))
}
