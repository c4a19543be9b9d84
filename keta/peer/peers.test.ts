import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'

import { expect } from 'chai'

import { PeerError, type PeerLink, type PeerRequest, type PeerResponse } from '../cluster/peers.ts'
import { createGrpcJsTransport } from '../transport/grpc-js/grpc-js-transport.ts'
import { RpcError, STATUS, stream } from '../transport/transport.ts'
import { type Answering, answering, type Handle, MAX_FORWARDED_BYTES, never, SECRET, signal } from './pair.fixture.ts'
import { createPeers } from './peers.ts'
import { EXCHANGE, PEER_SERVICE } from './protocol.ts'

const TIMEOUT_MS = 10_000
const PING: PeerRequest = { kind: 'ping' }

function forward(body: Uint8Array): PeerRequest {
  return { kind: 'forward', method: 'etcdserverpb.KV/Put', body, metadata: new Map([['token', 'secret']]) }
}

function rejection(request: Promise<PeerResponse>): Promise<PeerError> {
  return request.then(
    () => expect.fail('it was answered'),
    (error: unknown) => error as PeerError,
  )
}

/** A link that rests refuses at once: asked again until it has connected. */
async function answered(link: PeerLink): Promise<void> {
  const until = Date.now() + TIMEOUT_MS
  for (;;) {
    try {
      expect(await link.request(PING, TIMEOUT_MS)).to.deep.equal({ kind: 'done' })
      return
    } catch (error) {
      if (!(error instanceof PeerError) || error.sent || Date.now() > until) throw error
    }
    await setTimeout(5)
  }
}

describe('two nodes', () => {
  let handle: Handle
  const closing: (() => unknown)[] = []

  beforeEach(() => {
    handle = () => ({ kind: 'done' })
  })
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  async function serve(port?: number): Promise<Answering> {
    const node = await answering((request) => handle(request), port)
    closing.push(() => node.close())
    return node
  }

  function linkTo(urls: readonly string[], onGone: () => void = () => undefined): PeerLink {
    const link = createPeers({ secret: SECRET }).connect(urls, onGone)
    closing.push(() => link.close())
    return link
  }

  /** Between the asker and a node, so that the connection can be broken without either of them. */
  async function proxyTo(port: number): Promise<{ readonly url: string; reset(): void }> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      const onward = connect({ host: '127.0.0.1', port })
      socket.pipe(onward).pipe(socket)
      for (const end of [socket, onward]) {
        sockets.add(end)
        end.on('error', () => undefined).on('close', () => sockets.delete(end))
      }
    })
    const reset = (): void => {
      for (const socket of sockets) socket.resetAndDestroy()
    }
    const url = `http://127.0.0.1:${await listening(server)}`
    closing.push(() => {
      reset()
      server.close()
    })
    return { url, reset }
  }

  async function listening(server: Server): Promise<number> {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  }

  it('ask and answer every kind of thing', async () => {
    const asked: PeerRequest[] = []
    const answers: PeerResponse[] = [
      { kind: 'answer', body: Buffer.from('body'), appliedOffset: -1 },
      { kind: 'refusal', status: STATUS.NOT_FOUND, message: 'no lease', appliedOffset: 12 },
      { kind: 'readIndex', offset: Number.MAX_SAFE_INTEGER },
      { kind: 'done' },
      { kind: 'notLeader' },
    ]
    handle = (request) => {
      asked.push(request)
      return answers[asked.length - 1] ?? { kind: 'notLeader' }
    }
    const link = linkTo([(await serve()).url])
    const requests: PeerRequest[] = [
      forward(Buffer.from('a')),
      forward(Buffer.from('b')),
      { kind: 'readIndex' },
      { kind: 'takeOver', epoch: 5 },
      PING,
    ]
    const got = await Promise.all(requests.map((request) => link.request(request, TIMEOUT_MS)))
    expect(JSON.stringify(got)).to.equal(JSON.stringify(answers))
    expect(JSON.stringify(asked)).to.equal(JSON.stringify(requests))
    expect(asked[0])
      .to.have.property('metadata')
      .that.deep.equals(new Map([['token', 'secret']]))
  })

  it('put all requests of one turn into one message', async () => {
    const node = await serve()
    const link = linkTo([node.url])
    await link.request(PING, TIMEOUT_MS)
    await Promise.all(Array.from({ length: 500 }, () => link.request(PING, TIMEOUT_MS)))
    expect(node.messages()).to.equal(2)
  })

  it('answer in any order', async () => {
    const first = signal<PeerResponse>()
    handle = (request) => (request.kind === 'ping' ? first.promise : { kind: 'notLeader' })
    const link = linkTo([(await serve()).url])
    const slow = link.request(PING, TIMEOUT_MS)
    expect(await link.request({ kind: 'readIndex' }, TIMEOUT_MS)).to.deep.equal({ kind: 'notLeader' })
    first.resolve({ kind: 'done' })
    expect(await slow).to.deep.equal({ kind: 'done' })
  })

  it('forward what is larger than any message, among what is small', async () => {
    handle = (request) =>
      request.kind === 'forward' ? { kind: 'answer', body: request.body, appliedOffset: 1 } : { kind: 'done' }
    const link = linkTo([(await serve()).url])
    const body = Buffer.alloc(MAX_FORWARDED_BYTES, 'large')
    const [before, large, after] = await Promise.all(
      [PING, forward(body), PING].map((request) => link.request(request, TIMEOUT_MS)),
    )
    expect([before, after]).to.deep.equal([{ kind: 'done' }, { kind: 'done' }])
    expect(large?.kind === 'answer' && body.equals(large.body)).to.equal(true)
  })

  it('refuse what is too large, and nothing else', async () => {
    const link = linkTo([(await serve()).url])
    const body = Buffer.alloc(MAX_FORWARDED_BYTES + 100_000)
    const [large, small] = await Promise.all([forward(body), PING].map((request) => link.request(request, TIMEOUT_MS)))
    expect(large).to.include({ kind: 'refusal', status: STATUS.RESOURCE_EXHAUSTED })
    expect(small).to.deep.equal({ kind: 'done' })
  })

  it('hold back more than can be in hand at once, and answer all of it', async () => {
    const enough = signal()
    let handled = 0
    handle = async () => {
      if (++handled === 16) enough.resolve()
      await enough.promise
      return { kind: 'done' }
    }
    const link = linkTo([(await serve()).url])
    const body = Buffer.alloc(1024 * 1024)
    await Promise.all(Array.from({ length: 40 }, () => link.request(forward(body), 10_000)))
    expect(handled).to.equal(40)
  })

  it('tell of a defect only that nothing is known, and go on', async () => {
    handle = (request) => {
      if (request.kind === 'readIndex') throw new Error('a secret')
      return { kind: 'done' }
    }
    const node = await serve()
    const link = linkTo([node.url])
    const [failure] = await Promise.all([
      rejection(link.request({ kind: 'readIndex' }, TIMEOUT_MS)),
      link.request(PING, TIMEOUT_MS),
    ])
    expect(failure).to.include({ sent: true, code: 'PEER_UNREACHABLE' })
    expect(failure.message).not.to.contain('secret')
    expect(node.defects).to.have.length(1)
  })

  it('do not talk if they speak different versions, and say so', async () => {
    const method = stream<Uint8Array, Uint8Array>({
      decode: (bytes) => bytes,
      encode: (bytes) => bytes,
      open: () => {
        throw new RpcError(STATUS.FAILED_PRECONDITION, 'this node speaks version 2')
      },
    })
    const transport = createGrpcJsTransport({
      services: new Map([[PEER_SERVICE, new Map([[EXCHANGE, method]])]]),
      maxRequestBytes: 1000,
      onDefect: () => undefined,
    })
    closing.push(() => transport.close(0))
    const [bound] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
    const failure = await rejection(linkTo([`http://127.0.0.1:${bound?.port}`]).request(PING, TIMEOUT_MS))
    expect(failure.sent).to.equal(false)
    expect(failure.message).to.contain('this node speaks version 2')
  })

  it('lose what is under way when the other ends, which is gone then', async () => {
    const arrived = signal()
    handle = () => {
      arrived.resolve()
      return never
    }
    const node = await serve()
    const gone = signal()
    const link = linkTo([node.url], () => gone.resolve())
    const failure = rejection(link.request(PING, TIMEOUT_MS))
    await arrived.promise
    await node.close()
    expect(await failure).to.include({ sent: true })
    await gone.promise
    const refused = await rejection(link.request(PING, TIMEOUT_MS))
    expect(refused.sent).to.equal(false)
  })

  it('find each other again after a restart', async () => {
    const node = await serve()
    const gone = signal()
    const link = linkTo([node.url], () => gone.resolve())
    await link.request(PING, TIMEOUT_MS)
    await node.close()
    await gone.promise
    await serve(node.port)
    await answered(link)
  })

  it('find each other at any of the addresses', async () => {
    const free = createServer()
    const port = await listening(free)
    free.close()
    const node = await serve()
    const link = linkTo([`http://127.0.0.1:${port}`, node.url])
    await rejection(link.request(PING, TIMEOUT_MS))
    await answered(link)
  })

  it('go on after a reset, and nobody is gone', async () => {
    let gone = 0
    const node = await serve()
    const proxy = await proxyTo(node.port)
    const link = linkTo([proxy.url], () => gone++)
    for (let round = 0; round < 3; round++) {
      await answered(link)
      const arrived = signal()
      handle = () => {
        arrived.resolve()
        return never
      }
      const failure = rejection(link.request(PING, TIMEOUT_MS))
      await arrived.promise
      handle = () => ({ kind: 'done' })
      proxy.reset()
      expect(await failure).to.include({ sent: true })
    }
    await answered(link)
    expect(gone).to.equal(0)
  })

  it('do not take silence for the end', async () => {
    let gone = 0
    const sockets: Socket[] = []
    const mute = createServer((socket) => sockets.push(socket.resume()))
    const port = await listening(mute)
    const link = linkTo([`http://127.0.0.1:${port}`], () => gone++)
    const failure = await rejection(link.request(PING, 100))
    expect(failure).to.include({ sent: false })
    expect(gone).to.equal(0)
    link.close()
    // Otherwise the connection would stay: the client waits for the first words of the server.
    for (const socket of sockets) if (!socket.closed) await once(socket, 'close')
    mute.close()
  })
})
