/**
 * The JSON gateway and the health endpoints beside a real etcd: the same requests go to both, and status, headers and
 * body must be equal, but for what EXCEPTIONS names. KETA_SEED=N runs one seed alone.
 */
import { expect } from 'chai'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { type HttpAnswer, HttpClient, type HttpRequest, type Streamed } from '../http-client.fixture.ts'
import { randomHttpRequest } from './json-requests.ts'
import { SEQUENCES } from './json-sequences.ts'
import { seededRandom } from './random.ts'

const SCALE = process.env['KETA_SCALE'] === 'full' ? 10 : 1
const SEEDS = process.env['KETA_SEED'] === undefined ? [1, 20_261, 77_003] : [Number(process.env['KETA_SEED'])]
const REQUESTS = 1500 * SCALE

/** Fields of answers of which only the presence is compared. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  cluster_id: 'drawn by each cluster',
  member_id: 'drawn by each cluster',
  raft_term: 'each server has its own log',
  leases: 'equal expiries tie',
  token: 'drawn by each server',
}

/** An id that no request here asks for: the server has drawn it. */
const DRAWN_ID = /^\d{15,}$/

const COMPARED_HEADERS = [
  'content-type',
  'allow',
  'location',
  'x-content-type-options',
  'grpc-metadata-content-type',
  'access-control-allow-origin',
  'access-control-allow-methods',
  'access-control-allow-headers',
]

describe('the gateway beside a real etcd', function () {
  this.timeout(120_000 * SCALE)
  let servers: readonly TestServer[] = []
  let clients: readonly [HttpClient, HttpClient]

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
  })

  beforeEach(async () => {
    const [etcd, keta] = await Promise.all([startEtcd({ fsync: false }), startKeta()])
    servers = [etcd, keta]
    clients = [new HttpClient(etcd.endpoint), new HttpClient(keta.endpoint)]
  })

  afterEach(async () => {
    for (const client of clients) client.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  /** The connection may have broken because a server ended. */
  const lastWords = (): string => servers.map((server) => `${server.name}: ${server.log().slice(-700)}`).join('\n')

  const both = async (request: HttpRequest): Promise<readonly [unknown, unknown]> => {
    const [etcd, keta] = await Promise.all(clients.map((client) => client.send(request))).catch((cause: unknown) => {
      throw new Error(`${show(request)}: ${String(cause)}\n${lastWords()}`, { cause })
    })
    await forgetShortLeases(clients, [etcd!, keta!])
    return [comparable(etcd!), comparable(keta!)]
  }

  const expectEqual = async (request: HttpRequest, history: readonly string[] = []): Promise<void> => {
    const [etcd, keta] = await both(request)
    expect(keta, `${show(request)}\nafter\n${history.join('\n')}`).to.deep.equal(etcd)
  }

  for (const seed of SEEDS) {
    it(`gives every answer that etcd gives, to good requests and bad ones (seed ${seed})`, async () => {
      const random = seededRandom(seed)
      const history: string[] = []
      for (let count = 0; count < REQUESTS; count++) {
        const request = randomHttpRequest(random)
        await expectEqual(request, history)
        history.push(show(request))
        if (history.length > 12) history.shift()
      }
    })
  }

  for (const [what, steps] of Object.entries(SEQUENCES)) {
    it(`gives every answer that etcd gives to ${what}`, async () => {
      const tokens = clients.map(() => new Map([['nobody', 'abcdefghijklmnop.1']]))
      for (const { path, message, as } of steps) {
        const answers = await Promise.all(
          clients.map(async (client, index) => {
            const token = tokens[index]?.get(as ?? '')
            const headers = token === undefined ? {} : { Authorization: token }
            const answer = await client.send({ path, headers, body: JSON.stringify(message) })
            const given = /"token":"([^"]+)"/.exec(answer.body)?.[1]
            if (given !== undefined) tokens[index]?.set(String(message['name']), given)
            return comparable(answer)
          }),
        )
        expect(answers[1], `${path} ${JSON.stringify(message)} as ${as ?? 'nobody in particular'}`).to.deep.equal(
          answers[0],
        )
      }
    })
  }

  it('says the same of its health, with every alarm', async () => {
    const paths = [
      '/health',
      '/health?serializable=true',
      '/health?exclude=NOSPACE',
      '/health?exclude=NOSPACE&exclude=CORRUPT',
    ]
    for (const type of ['livez', 'readyz']) {
      paths.push(`/${type}`, `/${type}?verbose`, `/${type}?exclude=data_corruption&exclude=nothing`)
      for (const name of ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner', 'nothing']) {
        paths.push(`/${type}/${name}`, `/${type}/${name}?verbose`)
      }
    }
    for (const alarms of [[], ['NOSPACE'], ['NOSPACE', 'CORRUPT']]) {
      for (const client of clients) await raise(client, alarms)
      for (const path of paths) {
        const [etcd, keta] = await both({ path })
        // Of two alarms etcd names either, by chance.
        const named = alarms.length > 1 ? anyAlarm : (answer: unknown) => answer
        expect(named(keta), `${path} with ${alarms.join()}`).to.deep.equal(named(etcd))
      }
      for (const path of ['/health', '/livez', '/readyz', '/version']) {
        for (const method of ['POST', 'HEAD', 'OPTIONS']) await expectEqual({ path, method })
      }
    }
  })

  it('has a path for each method that etcd has one for, and no other', async () => {
    const { GATEWAY_ROUTES } = await import('../../http/gateway/routes.ts')
    for (const path of GATEWAY_ROUTES.keys()) {
      const { status } = await clients[0].send({ path })
      expect(status, path).to.equal(501)
    }
    for (const method of new Set(GATEWAY_ROUTES.values())) {
      for (const path of [`/v3/${method.name}`, `/${method.parent.typeName}/${method.name}`])
        await expectEqual({ path })
    }
  })

  it('says the same over WebSockets', async () => {
    await Promise.all(clients.map((client) => client.call('/v3/kv/put', { key: 'YQ==', value: 'PCY+' })))
    for (const talk of TALKS) {
      const [etcd, keta] = await Promise.all(servers.map(({ endpoint }) => heard(endpoint, talk)))
      expect(keta, JSON.stringify(talk)).to.deep.equal(etcd)
    }
    const tokens = await Promise.all(clients.map(withAccessControl))
    for (const talk of TALKS_WITH_TOKENS) {
      const [etcd, keta] = await Promise.all(servers.map(({ endpoint }, index) => heard(endpoint, talk, tokens[index])))
      expect(keta, JSON.stringify(talk)).to.deep.equal(etcd)
    }
  })

  it('answers streams line by line', async () => {
    await Promise.all(clients.map((client) => client.call('/v3/kv/put', { key: 'YQ==', value: 'PCY+' })))
    const requests = [
      { path: '/v3/watch', body: '{"create_request":{"key":"YQ==","start_revision":"1","watch_id":"5"}}' },
      { path: '/v3/watch', body: '{"createRequest":{"key":"Yg","rangeEnd":"YQ"}} {"create_request":{}}' },
      { path: '/v3/lease/keepalive', body: '{"ID":"1"}\n{"ID":2}{"ID":"x"}' },
    ]
    for (const request of requests) {
      const answers = await Promise.all(clients.map((client) => client.send(request, TWO_RESULTS)))
      const [etcd, keta] = answers.map(({ status, headers, body }) => ({
        status,
        contentType: headers['content-type'],
        lines: body
          .split('\n')
          .filter((line) => line.includes('"result"'))
          .map((line) => masked(JSON.parse(line))),
      }))
      expect(keta, show(request)).to.deep.equal(etcd)
      expect(keta?.lines).to.have.length.above(0)
    }
  })
})

const TWO_RESULTS: Streamed = { isWhole: (body) => body.split('"result"').length > 2, quietMs: 300 }

/** Tokens are of their server. */
interface Talk {
  readonly path: string
  readonly protocols?: (token: string) => readonly string[]
  readonly cookie?: (token: string) => string
  readonly messages: readonly string[]
  /** How many are answered, if the server does not end it. */
  readonly answers?: number
}

/** Without what etcd leaves unanswered for as long as the socket is open: unary calls, and streams that break. */
const TALKS: readonly Talk[] = [
  { path: '/v3/kv/range', messages: ['{]'] },
  { path: '/v3/kv/range?x=y', messages: ['{"key":"YQ==","limit":"x"}'] },
  { path: '/v3/kv/nothing', messages: ['{}'] },
  {
    path: '/v3/watch',
    messages: ['{"create_request":{"key":"YQ==","start_revision":"1",', '"watch_id":"5"}}'],
    answers: 2,
  },
  { path: '/v3/watch', messages: ['{"cancel_request":{"watch_id":"77"}}{"create_request":{}}'], answers: 1 },
  { path: '/v3/lease/keepalive', messages: ['{"ID":"1"}', '{"ID":2}'], answers: 2 },
]

/** What is heard over a WebSocket, and whether the server has ended it. */
async function heard(endpoint: string, talk: Talk, token = ''): Promise<unknown> {
  const cookie = talk.cookie?.(token)
  const protocols = [...(talk.protocols?.(token) ?? [])]
  const socket = new WebSocket(
    `ws://${endpoint}${talk.path}`,
    protocols,
    cookie === undefined ? {} : { headers: { cookie } },
  )
  const answers: unknown[] = []
  const enough = new Promise<'enough'>((resolve) => {
    socket.on('message', (data: Buffer, isBinary) => {
      answers.push(isBinary ? 'binary' : masked(JSON.parse(data.toString())))
      if (answers.length === talk.answers) resolve('enough')
    })
  })
  const closed = once(socket, 'close').then(() => 'closed')
  await once(socket, 'open')
  for (const message of talk.messages) socket.send(message)
  const end = await Promise.race([enough, closed])
  const { protocol } = socket
  socket.terminate()
  return { answers, end, protocol }
}

const WATCH: Talk = { path: '/v3/watch', messages: ['{"create_request":{"key":"YQ=="}}'], answers: 1 }
const TALKS_WITH_TOKENS: readonly Talk[] = [
  WATCH,
  { ...WATCH, protocols: (token) => ['Bearer', token] },
  { ...WATCH, protocols: () => ['Bearer', 'wrong.1'] },
  { ...WATCH, cookie: (token) => `a=b; token=${token}` },
]

/** @returns root's token. */
async function withAccessControl(client: HttpClient): Promise<string> {
  await client.call('/v3/auth/user/add', { name: 'root', password: 'secret' })
  await client.call('/v3/auth/user/grant', { user: 'root', role: 'root' })
  await client.call('/v3/auth/enable', {})
  const { token } = (await client.call('/v3/auth/authenticate', { name: 'root', password: 'secret' })) as {
    token: string
  }
  return token
}

async function raise(client: HttpClient, alarms: readonly string[]): Promise<void> {
  const { header } = (await client.call('/v3/maintenance/status', {})) as { header: { member_id: string } }
  for (const alarm of alarms) {
    await client.call('/v3/maintenance/alarm', { action: 'ACTIVATE', alarm, memberID: header.member_id })
  }
}

/** Leases that soon run out, or have ids of their own on each server, would make later answers differ. */
async function forgetShortLeases(clients: readonly HttpClient[], answers: readonly HttpAnswer[]): Promise<void> {
  await Promise.all(
    answers.map(async ({ body }, index) => {
      const [, id, ttl] = /"ID":"(-?\d+)", ?"TTL":"(\d+)"/.exec(body) ?? []
      if (id === undefined || (ttl === '3600' && !DRAWN_ID.test(id))) return
      await clients[index]?.call('/v3/lease/revoke', { ID: id })
    }),
  )
}

function comparable({ status, headers, body }: HttpAnswer): unknown {
  const kept = Object.fromEntries(COMPARED_HEADERS.map((name) => [name, headers[name]]))
  // A redirection is followed; nobody reads its page.
  if (status === 307) return { status, location: headers.location }
  return { status, ...kept, body: body.startsWith('{') ? masked(JSON.parse(body)) : sortedChecks(body) }
}

/** etcd runs its checks in random order. */
function sortedChecks(text: string): string {
  return text.split('\n').sort().join('\n')
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked)
  if (typeof value === 'string' && DRAWN_ID.test(value)) return 'drawn'
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, Object.hasOwn(EXCEPTIONS, name) ? 'present' : masked(field)]),
  )
}

function anyAlarm(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer).replace(/ALARM (NOSPACE|CORRUPT)/, 'ALARM'))
}

function show({ method = '', path, body = '' }: HttpRequest): string {
  return `${method} ${path} ${JSON.stringify(body.toString())}`
}
