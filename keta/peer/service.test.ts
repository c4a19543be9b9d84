import { expect } from 'chai'

import type { PeerResponse } from '../cluster/peers.ts'
import { ManualClock } from '../engine/manual-clock.fixture.ts'
import { RpcError, type ServerStream, STATUS, type StreamHandler, type StreamMethod } from '../transport/transport.ts'
import { asEncoded, whole } from './encoded.fixture.ts'
import { Inbox } from './inbox.ts'
import { decodeResponse, encodeRequest, type WireResponse } from './messages.ts'
import { Outbox } from './outbox.ts'
import { signal } from './pair.fixture.ts'
import { EXCHANGE, SECRET_METADATA } from './protocol.ts'
import { type PeerServiceOptions, peerService } from './service.ts'

const MAX_REQUEST_BYTES = 4 * 1024 * 1024

/** The transport's side, played by the test. */
class FakeStream implements ServerStream<Uint8Array> {
  readonly sent: Uint8Array[] = []
  takesMore = true

  send(message: Uint8Array): boolean {
    this.sent.push(message)
    return this.takesMore
  }

  end(): void {
    throw new Error('not expected')
  }

  fail(error: RpcError): void {
    throw error
  }

  /** The answers, message by message. The first message is the greeting. */
  answers(): readonly (readonly [id: number, response: WireResponse])[][] {
    const inbox = new Inbox(Number.POSITIVE_INFINITY)
    const [greeting, ...messages] = this.sent
    expect(greeting).to.have.length(0)
    return messages.map((message) =>
      inbox.take(message).map(({ id, payload }) => [id, decodeResponse(payload ?? Buffer.alloc(0))]),
    )
  }
}

describe('the answering side of the peer link', () => {
  let clock: ManualClock
  let out: FakeStream
  let defects: unknown[]
  let waiting: ReturnType<typeof signal<PeerResponse>>[]
  let exchange: StreamHandler<Uint8Array>

  beforeEach(() => {
    clock = new ManualClock()
    out = new FakeStream()
    defects = []
    waiting = []
    exchange = open('2')
  })

  function open(version: string | undefined, secret = 'of the nodes'): StreamHandler<Uint8Array> {
    const handle = (): Promise<PeerResponse> => {
      const answer = signal<PeerResponse>()
      waiting.push(answer)
      return answer.promise
    }
    const options: PeerServiceOptions = {
      secret: 'of the nodes',
      clock,
      maxRequestBytes: MAX_REQUEST_BYTES,
      onDefect: (error) => defects.push(error),
    }
    const method = peerService({ handle }, options).get(EXCHANGE) as unknown as StreamMethod<Uint8Array, Uint8Array>
    const metadata = (name: string) => (name === SECRET_METADATA ? secret : version)
    return method.open(out, { peer: 'test', metadata, onClosed: () => undefined })
  }

  function ask(payloads: readonly Uint8Array[]): void | Promise<void> {
    const outbox = new Outbox(Number.POSITIVE_INFINITY)
    for (const [index, payload] of payloads.entries()) outbox.put(index + 1, asEncoded(payload))
    return exchange.message(outbox.take() ?? Buffer.alloc(0))
  }

  function pings(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => whole(encodeRequest({ kind: 'ping' })))
  }

  async function answer(count = waiting.length): Promise<void> {
    for (const { resolve } of waiting.splice(0, count)) resolve({ kind: 'done' })
    await clock.settle()
  }

  it('greets at once', () => {
    expect(out.sent).to.deep.equal([Buffer.alloc(0)])
  })

  it('puts all answers of one turn into one message', async () => {
    expect(ask(pings(50))).to.equal(undefined)
    await answer(20)
    await answer()
    expect(out.answers().map((batch) => batch.length)).to.deep.equal([20, 30])
  })

  it('keeps answers back while the asker does not keep up', async () => {
    out.takesMore = false
    await ask(pings(3))
    await answer(1)
    await answer(1)
    await answer(1)
    expect(out.answers()).to.have.length(1)
    exchange.drained()
    expect(out.answers().map((batch) => batch.map(([id]) => id))).to.deep.equal([[1], [2, 3]])
  })

  it('reads no more while too many requests are in hand', async () => {
    const body = Buffer.alloc(1024 * 1024)
    const large = whole(encodeRequest({ kind: 'forward', method: 'a/b', body, metadata: new Map() }))
    for (let count = 1; count < 16; count++) expect(ask([large])).to.equal(undefined)
    let readOn = false
    const full = ask([large])?.then(() => {
      readOn = true
    })
    await clock.settle()
    expect(readOn).to.equal(false)
    await answer(1)
    await full
    expect(readOn).to.equal(true)
  })

  it('reads no more while very many small requests are in hand', () => {
    expect(ask(pings(40_000))).to.be.a('promise')
  })

  it('ends with its stream, whatever is in hand', async () => {
    const reading = ask(pings(40_000))
    exchange.closed()
    await reading
    await answer()
    expect(out.answers()).to.have.length(0)
  })

  it('serves nobody who does not know the secret of the nodes', () => {
    for (const secret of ['', 'of the node', 'of the nodes ']) {
      expect(() => open('2', secret))
        .to.throw(RpcError, 'this service is for the nodes of the cluster')
        .with.property('status', STATUS.PERMISSION_DENIED)
    }
  })

  it('does not serve another version', () => {
    for (const version of [undefined, '1', '']) {
      expect(() => open(version))
        .to.throw(RpcError, 'this node speaks version 2 of the peer protocol')
        .with.property('status', STATUS.FAILED_PRECONDITION)
    }
  })

  it('refuses what is not a batch of frames', () => {
    expect(() => exchange.message(Buffer.from([0xff])))
      .to.throw(RpcError, 'not a batch of frames')
      .with.property('status', STATUS.INVALID_ARGUMENT)
  })

  it('refuses a request that is too large, by itself', async () => {
    await ask([Buffer.alloc(MAX_REQUEST_BYTES + 100_000), ...pings(1)])
    await answer()
    const [refused, done] = out.answers().flat()
    expect(refused?.[1]).to.include({ kind: 'refusal', status: STATUS.RESOURCE_EXHAUSTED, appliedOffset: -1 })
    expect(done?.[1]).to.deep.equal({ kind: 'done' })
  })

  it('says of a request that it cannot read, or does not know, only that it failed', async () => {
    await ask([Buffer.from([0xff]), Buffer.from([0x08, 0x63])])
    await clock.settle()
    expect(out.answers().flat()).to.deep.include.members([
      [1, { kind: 'failed' }],
      [2, { kind: 'failed' }],
    ])
    expect(waiting).to.have.length(0)
    expect(defects.map(String)).to.deep.equal(['MalformedMessage: truncated varint'])
  })
})
