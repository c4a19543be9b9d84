/** An HTTP/2 server, and clients that send it whatever bytes they are told to. */
import { expect } from 'chai'
import { OPENING } from '../../test/raw-http2.fixture.ts'
import { MAX_REQUEST_BYTES, Probe, servicesOf } from '../suite/fixture-suite.ts'
import type { Transport } from '../transport.ts'
import { createHttp2Transport } from './http2-transport.ts'
import type { Http2Limits } from './limits.ts'
import { call, RawClient } from './raw-client.fixture.ts'

export class RawServer {
  readonly probe = new Probe()
  readonly clients: RawClient[] = []
  #transport: Transport | undefined
  #port = 0

  async serve(limits: Partial<Http2Limits> = {}, maxRequestBytes = MAX_REQUEST_BYTES): Promise<void> {
    const { probe } = this
    const onDefect = (error: unknown, method: string) => probe.defects.push({ error, method })
    this.#transport = createHttp2Transport({ services: servicesOf(probe), maxRequestBytes, onDefect }, limits)
    const [address] = await this.#transport.listen([{ host: '127.0.0.1', port: 0 }])
    this.#port = address!.port
  }

  /** A client that has said nothing. */
  dial(): RawClient {
    const client = new RawClient(this.#port)
    this.clients.push(client)
    return client
  }

  /** A client that has begun well, and goes on with this. */
  connect(...parts: readonly Buffer[]): RawClient {
    const client = this.dial()
    client.send(OPENING, ...parts)
    return client
  }

  /** Another client is served, and there was no defect. */
  async end(): Promise<void> {
    this.probe.onUnary = (request) => request
    const another = this.connect(call(1, 'x'))
    await another.until('an answer', () => another.answered.includes(1))
    for (const { socket } of this.clients) socket.destroy()
    await this.#transport?.close(0)
    expect(this.probe.defects).to.deep.equal([])
  }
}
