/** The shared tests of transports: what a connection may do, by the rules that the transport was given. */
import { once } from 'node:events'
import type { ClientHttp2Session, Settings } from 'node:http2'
import { expect } from 'chai'
import { OPENING } from '../../test/raw-http2.fixture.ts'
import type { ConnectionRules, Transport, TransportOptions } from '../transport.ts'
import { type Dial, frame, gone, MAX_REQUEST_BYTES, Probe, rawRequest, servicesOf } from './fixture-suite.ts'

/** @param countsPings the transport looks at how often clients ping; grpc-js does not. */
export function describeRules(
  create: (options: TransportOptions) => Transport,
  dial: Dial,
  countsPings: boolean,
): void {
  describe('with rules for connections', () => {
    let transport: Transport
    let port: number
    let session: ClientHttp2Session
    let probe: Probe

    async function serve(rules: Partial<ConnectionRules>): Promise<void> {
      probe = new Probe()
      const options = { services: servicesOf(probe), maxRequestBytes: MAX_REQUEST_BYTES, onDefect: () => undefined }
      transport = create({ ...options, rules })
      const [address] = await transport.listen([{ host: '127.0.0.1', port: 0 }])
      port = address!.port
      session = dial.session(port)
      session.on('error', () => undefined)
    }

    afterEach(async () => {
      session.destroy()
      await transport.close(0)
    })

    it('tells clients how many calls they may have open', async () => {
      await serve({ streams: 7 })
      const [settings] = (await once(session, 'remoteSettings')) as [Settings]
      expect(settings.maxConcurrentStreams).to.equal(7)
    })

    it('keeps a connection whose client says that it lives', async () => {
      await serve({ keepaliveMs: 20, keepaliveTimeoutMs: 1_000 })
      let asked = 0
      const askedThrice = new Promise<void>((resolve) => {
        session.on('ping', () => {
          if (++asked === 3) resolve()
        })
      })
      await askedThrice
      expect(session.closed).to.equal(false)
    })

    it('ends a connection whose client does not say that it lives', async () => {
      await serve({ keepaliveMs: 20, keepaliveTimeoutMs: 50 })
      const silent = dial.socket(port, 'h2')
      silent.write(OPENING)
      await gone(silent)
    })

    if (!countsPings) return

    it('cuts off who pings too often for its rules, and nobody else', async () => {
      await serve({ pingMinMs: 0 })
      rawRequest(session, '/test.Service/Stream').write(frame('a'))
      await probe.until(() => probe.streams.length === 1)
      for (let count = 0; count < 10; count++) await ping(session)
      expect(session.closed).to.equal(false)
      session.destroy()
      await transport.close(0)

      await serve({ pingMinMs: 3_600_000 })
      rawRequest(session, '/test.Service/Stream').write(frame('a'))
      await probe.until(() => probe.streams.length === 1)
      const goAway = once(session, 'goaway') as Promise<[number, number, Buffer]>
      for (let count = 0; count < 4 && !session.destroyed; count++) session.ping(() => undefined)
      const [code, , text] = await goAway
      expect({ code, text: String(text) }).to.deep.equal({ code: 11, text: 'too_many_pings' })
    })

    it('counts no ping that comes after the client was answered, and forgets the others', async () => {
      await serve({ pingMinMs: 3_600_000 })
      probe.onMessage = (handler, request) => {
        handler.out.send(request)
      }
      const stream = rawRequest(session, '/test.Service/Stream')
      for (let count = 0; count < 10; count++) {
        stream.write(frame('a'))
        await once(stream, 'data')
        await ping(session)
        await ping(session)
      }
      expect(session.closed).to.equal(false)
    })
  })
}

function ping(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.ping((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}
