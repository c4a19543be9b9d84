/** Whether a server of etcd's API answers a linearizable read; one that wants to know who asks answers too. */
import { setTimeout as delay } from 'node:timers/promises'
import { type ChannelCredentials, credentials, makeGenericClientConstructor, status } from '@grpc/grpc-js'
import { acceptsConnections } from './ports.ts'

/** A RangeRequest of the key "\0". */
const RANGE_REQUEST = Buffer.from([0x0a, 0x01, 0x00])
const DEADLINE_MS = 2000
/** What etcd says to a request without a user name or a token. */
const REFUSALS: ReadonlySet<number> = new Set([status.INVALID_ARGUMENT, status.UNAUTHENTICATED])
const GenericClient = makeGenericClientConstructor({}, 'etcd')

/**
 * @param endpoint 'host:port'
 * @param secured with what, if it speaks TLS; by the name localhost then.
 */
export async function answersReads(endpoint: string, secured?: ChannelCredentials): Promise<boolean> {
  if (!(await acceptsConnections(endpoint))) return false
  const client = new GenericClient(
    secured === undefined ? endpoint : endpoint.replace('127.0.0.1', 'localhost'),
    secured ?? credentials.createInsecure(),
  )
  try {
    return await new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes
      const options = { deadline: Date.now() + DEADLINE_MS }
      client.makeUnaryRequest('/etcdserverpb.KV/Range', same, same, RANGE_REQUEST, options, (error) => {
        resolve(error === null || REFUSALS.has(error.code))
      })
    })
  } finally {
    client.close()
  }
}

/** Resolves when every endpoint answers linearizable reads. @throws after `limitMs` */
export async function allAnswerReads(
  endpoints: readonly string[],
  limitMs: number,
  secured?: ChannelCredentials,
): Promise<void> {
  const deadline = performance.now() + limitMs
  for (const endpoint of endpoints) {
    while (!(await answersReads(endpoint, secured))) {
      if (performance.now() > deadline) throw new Error(`${endpoint} does not answer after ${limitMs} ms`)
      await delay(50)
    }
  }
}
