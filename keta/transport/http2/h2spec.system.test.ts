import { expect } from 'chai'
import { ensureH2spec, runH2spec } from '../../../test-servers/h2spec.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { testTls } from '../front/server-tls.fixture.ts'
import type { HttpHandler, Transport } from '../transport.ts'
import { createHttp2Transport } from './http2-transport.ts'

/** Section 3.5 is about what begins with no preface. On a port with HTTP/1.1 that is an HTTP/1.1 request. */
const BUT_PREFACE = ['generic', 'hpack', 'http2/3.4', 'http2/4', 'http2/5', 'http2/6', 'http2/7', 'http2/8']

describe('h2spec', function () {
  this.timeout(120_000)

  const defects: unknown[] = []
  let transport: Transport
  let ports: number[]

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureH2spec)
  })

  beforeEach(async () => {
    // It needs answers with DATA, and some that are not there at once.
    const http: HttpHandler = (request, response) => {
      request.resume()
      setTimeout(() => response.writeHead(200, { 'content-type': 'text/plain' }).end('hello'), 20)
    }
    const options = {
      services: new Map(),
      maxRequestBytes: 100_000,
      onDefect: (error: unknown) => defects.push(error),
      tls: testTls(),
      http,
    }
    // It opens as many streams as are allowed, and one more.
    transport = createHttp2Transport(options, { streams: 100 })
    const host = '127.0.0.1'
    const bound = await transport.listen([
      { host, port: 0 },
      { host, port: 0, secure: true },
      { host, port: 0, traffic: 'grpc' },
    ])
    ports = bound.map(({ port }) => port)
  })

  afterEach(async () => {
    await transport.close(0)
    expect(defects).to.deep.equal([])
  })

  it('finds no fault in plain text', async () => {
    const output = await runH2spec({ port: ports[0]!, secure: false, sections: BUT_PREFACE })
    expect(output).to.match(/\n1[34]\d tests, 1[34]\d passed, 0 skipped, 0 failed\n/)
  })

  it('finds no fault in the preface where only gRPC is spoken', async () => {
    const output = await runH2spec({ port: ports[2]!, secure: false, sections: ['http2/3.5'] })
    expect(output).to.match(/\n2 tests, 2 passed, 0 skipped, 0 failed\n/)
  })

  it('finds no fault over TLS', async () => {
    const output = await runH2spec({ port: ports[1]!, secure: true, sections: [] })
    expect(output).to.match(/\n145 tests, 145 passed, 0 skipped, 0 failed\n/)
  })
})
