/** The harness itself: it finds nothing in a good server, and what is wrong with bad ones. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect } from 'chai'
import { setTimeout as delay } from 'node:timers/promises'
import { startKeta } from '../../../test-servers/keta.ts'
import type { TestServer } from '../../../test-servers/server.ts'
import {
  KV,
  Lease,
  LeaseKeepAliveRequestSchema,
  LeaseKeepAliveResponseSchema,
  PutRequestSchema,
  PutResponseSchema,
  RangeResponseSchema,
  Watch,
  WatchResponseSchema,
} from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { FaultRun } from './fault-run.ts'
import { type Meddling, startMeddlingProxy } from './meddling-proxy.ts'

const SEED = 1
/** Enough to meet each defect several times. */
const RECORDS = 1_500
const WORK_MS = 20_000
const AT_ONCE = 3

const GOOD = 'a good server'
const TWO_STORES = 'two stores'

const BROKEN: readonly (readonly [name: string, meddling: () => Meddling, finds: RegExp])[] = [
  ['reads that are answered from a cache', staleReads, /stale-read|not-linearizable/],
  ['writes that are acknowledged and not done', lostWrites, /lost-write|wrong-effect|revision-claimed-twice/],
  ['writes that are sent again behind the client’s back', repeatedWrites, /write-repeated/],
  ['events that watchers are not told of', lostEvents, /revision-gap|lost-write|reliable/],
  ['revisions that are not told truly', wrongRevisions, /real-time|wrong-answer/],
  ['renewals of leases that are acknowledged and not done', idleRenewals, /lease .* ended .* after it was renewed/],
]

describe('the harness of the fault tests', function () {
  this.timeout(120_000)
  const found = new Map<string, string>()

  before(async () => {
    const runs: (readonly [string, readonly (() => Promise<Started>)[]])[] = [
      [GOOD, [oneServer]],
      [TWO_STORES, [oneServer, oneServer]],
      ...BROKEN.map(([name, meddling]) => [name, [() => brokenServer(meddling())]] as const),
    ]
    const one = async (): Promise<void> => {
      for (let next = runs.pop(); next !== undefined; next = runs.pop()) {
        const [name, starts] = next
        const servers = await Promise.all(starts.map((start) => start()))
        found.set(name, (await judge(servers, name === GOOD ? {} : { catchUpMs: 3_000 })).join('\n'))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
  })

  it('finds nothing in a good server', () => {
    expect(found.get(GOOD)).to.equal('')
  })

  it('finds two stores that pass for one', () => {
    expect(found.get(TWO_STORES)).to.match(/real-time/)
    expect(found.get(TWO_STORES)).to.match(/not-linearizable/)
    expect(found.get(TWO_STORES)).to.match(/the nodes differ/)
  })

  for (const [name, , finds] of BROKEN) {
    it(`finds ${name}`, () => {
      expect(found.get(name)).to.match(finds)
    })
  }
})

interface Started {
  readonly servers: readonly TestServer[]
  readonly endpoints: readonly string[]
  stop(): Promise<void>
}

async function judge(subjects: readonly Started[], options: { catchUpMs?: number }): Promise<readonly string[]> {
  const run = new FaultRun(
    {
      endpoints: subjects.flatMap(({ endpoints }) => endpoints),
      servers: subjects.flatMap(({ servers }) => servers),
      ready: () => Promise.resolve(),
      healNetwork: () => undefined,
    },
    { seed: SEED, ...options },
  )
  try {
    const deadline = performance.now() + WORK_MS
    while (run.recorder.history.length < RECORDS && performance.now() < deadline) await delay(100)
    return await run.finish()
  } finally {
    run.keep([])
    await Promise.all(subjects.map((subject) => subject.stop()))
  }
}

async function oneServer(): Promise<Started> {
  const server = await startKeta()
  return { servers: [server], endpoints: [server.endpoint], stop: () => server.stop() }
}

/** A good server behind something that makes a bad one of it. */
async function brokenServer(meddling: Meddling): Promise<Started> {
  const server = await startKeta()
  const proxy = await startMeddlingProxy(server.endpoint, meddling)
  const stop = async (): Promise<void> => {
    proxy.stop()
    await server.stop()
  }
  return { servers: [server], endpoints: [proxy.endpoint, proxy.endpoint], stop }
}

function staleReads(): Meddling {
  const answers = new Map<string, Buffer>()
  return {
    async unary(method, request, forward) {
      if (method !== KV.method.range) return forward(request)
      const name = request.toString('latin1')
      const answer = answers.get(name) ?? (await forward(request))
      answers.set(name, answer)
      return answer
    },
  }
}

function lostWrites(): Meddling {
  let last: Buffer | undefined
  let puts = 0
  return {
    async unary(method, request, forward) {
      if (method !== KV.method.put) return forward(request)
      if (last !== undefined && ++puts % 5 === 0) {
        const { header } = fromBinary(PutResponseSchema, last)
        const later = header && { ...header, revision: header.revision + 1n }
        return Buffer.from(toBinary(PutResponseSchema, create(PutResponseSchema, later ? { header: later } : {})))
      }
      last = await forward(request)
      return last
    },
  }
}

function repeatedWrites(): Meddling {
  let puts = 0
  return {
    async unary(method, request, forward) {
      const answer = await forward(request)
      const isRepeated = method === KV.method.put && ++puts % 10 === 0
      return isRepeated && fromBinary(PutRequestSchema, request).lease === 0n ? forward(request) : answer
    },
  }
}

function lostEvents(): Meddling {
  let messages = 0
  return {
    message(method, bytes) {
      if (method !== Watch.method.watch) return bytes
      const isLost = fromBinary(WatchResponseSchema, bytes).events.length > 0 && ++messages % 20 === 0
      return isLost ? undefined : bytes
    },
  }
}

function wrongRevisions(): Meddling {
  return {
    async unary(method, request, forward) {
      const bytes = await forward(request)
      if (method !== KV.method.range) return bytes
      const answer = fromBinary(RangeResponseSchema, bytes)
      if (answer.header !== undefined && answer.header.revision > 1n) answer.header.revision--
      return Buffer.from(toBinary(RangeResponseSchema, answer))
    },
  }
}

function idleRenewals(): Meddling {
  return {
    answer(method, bytes) {
      if (method !== Lease.method.leaseKeepAlive) return undefined
      const { ID } = fromBinary(LeaseKeepAliveRequestSchema, bytes)
      const answer = create(LeaseKeepAliveResponseSchema, { ID, TTL: 2n })
      return Buffer.from(toBinary(LeaseKeepAliveResponseSchema, answer))
    },
  }
}
