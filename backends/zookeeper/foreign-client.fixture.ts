/** Short visits with node-zookeeper-client, another's client: what it sees and does is not by our code. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import zookeeper, { type ForeignClient } from 'node-zookeeper-client'
import { passwordOf } from './session-password.fixture.ts'

export interface Visitor {
  data(path: string): Promise<Buffer | undefined>
  children(path: string): Promise<readonly string[]>
  create(path: string, data: Buffer | null): Promise<void>
  /** Only its creator, the visitor's user, may touch what is there. */
  createPrivate(path: string, data: Buffer | null): Promise<void>
  set(path: string, data: Buffer | null): Promise<void>
  /** Does nothing if it is not there. */
  remove(path: string): Promise<void>
}

export interface VisitOptions {
  /** `user:password`. */
  readonly digest?: string
  readonly sessionId?: bigint
}

/** Of the session that was to be visited with. */
export class SessionOverError extends Error {
  override readonly name = 'SessionOverError'
}

/** How long a visit may take, milliseconds. */
const PATIENCE_MS = 15_000
const FAREWELL_MS = 1000
const NO_NODE = -101

/** @throws Error what the server says, or that it has taken too long */
export async function visit<T>(
  connectString: string,
  work: (visitor: Visitor) => Promise<T>,
  { digest, sessionId }: VisitOptions = {},
): Promise<T> {
  const id = sessionId === undefined ? undefined : Buffer.alloc(8)
  id?.writeBigInt64BE(BigInt.asIntN(64, sessionId ?? 0n))
  const client = zookeeper.createClient(connectString, {
    sessionTimeout: 10_000,
    spinDelay: 50,
    ...(id && { sessionId: id, sessionPassword: passwordOf(sessionId ?? 0n) }),
  })
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no visit within ${PATIENCE_MS} ms`)), PATIENCE_MS)
    })
    const connected = new Promise<void>((resolve, reject) => {
      client.once('connected', () => resolve())
      client.once('expired', () => reject(new SessionOverError()))
    })
    if (digest !== undefined) client.addAuthInfo('digest', Buffer.from(digest))
    client.connect()
    return await Promise.race([connected.then(() => work(visitorOf(client))), late])
  } finally {
    // until it has said farewell, its session is still there; one that has expired has nobody to say it to
    const gone = once(client, 'disconnected')
    client.close()
    await Promise.race([gone, delay(FAREWELL_MS)])
    clearTimeout(timer)
  }
}

function visitorOf(client: ForeignClient): Visitor {
  const { PERSISTENT } = zookeeper.CreateMode
  return {
    data: (path) => asked((done) => client.getData(path, null, done)),
    children: (path) => asked((done) => client.getChildren(path, null, done)),
    create: (path, data) =>
      asked((done) =>
        client.create(path, data, zookeeper.ACL.OPEN_ACL_UNSAFE, PERSISTENT, (error) => done(error, undefined)),
      ),
    createPrivate: (path, data) =>
      asked((done) =>
        client.create(path, data, zookeeper.ACL.CREATOR_ALL_ACL, PERSISTENT, (error) => done(error, undefined)),
      ),
    set: (path, data) => asked((done) => client.setData(path, data, -1, (error) => done(error, undefined))),
    remove: (path) =>
      asked((done) =>
        client.remove(path, -1, (error) =>
          done((error as { code?: number } | null)?.code === NO_NODE ? null : error, undefined),
        ),
      ),
  }
}

function asked<T>(ask: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, result) => (error === null ? resolve(result) : reject(error)))
  })
}
