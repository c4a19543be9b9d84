/** What transports serve on the port of gRPC besides gRPC. */
import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import { text as textOf } from 'node:stream/consumers'

import { expect } from 'chai'

import type { HttpHandler } from '../transport.ts'
import { callUnary, type Dial, type Fixture, openStream, type Probe } from './fixture-suite.ts'

/** Answers what it was asked, when it has been asked to the end; `/defect` throws, `/endless` and `/broken` are so. */
export const echoTo =
  (probe: Probe): HttpHandler =>
  (request, response) => {
    probe.https.push(request.url ?? '')
    probe.changed()
    if (request.url?.startsWith('/defect') === true) throw new Error('secret of the handler')
    response.once('close', () => {
      probe.https.push(`${request.url} is over`)
      probe.changed()
    })
    if (request.url === '/endless') response.write('some')
    else if (request.url === '/broken') response.write('some', () => response.destroy())
    else answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  }

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request)
  response.writeHead(200, { 'content-type': 'text/plain' }).end(`${request.method} ${request.url} ${body}`)
}

export function describeHttp(fixture: () => Fixture): void {
  it('serves HTTP/1.1 on the port of gRPC, while streams are open', async () => {
    const { client, dial, port, probe } = fixture()
    const stream = openStream(client)
    stream.send('a')
    await probe.until(() => probe.streams[0]?.received.length === 1)
    expect(await post(dial, port, '/v3/kv/range', 'body')).to.deep.equal({
      status: 200,
      body: 'POST /v3/kv/range body',
    })
    expect(await callUnary(client, 'x')).to.deep.equal({ answer: Buffer.from('x') })
    stream.send('b')
    await probe.until(() => probe.streams[0]?.received.length === 2)
  })

  it('serves a request over HTTP/2 that is not gRPC as HTTP', async () => {
    const { dial, port } = fixture()
    const session = dial.session(port)
    const stream = session.request({ ':path': '/health', ':method': 'POST' })
    const answered = once(stream, 'response') as Promise<[Record<string, unknown>]>
    stream.end('body')
    const [headers] = await answered
    expect(headers[constants.HTTP2_HEADER_STATUS]).to.equal(200)
    expect(await textOf(stream)).to.equal('POST /health body')
    session.close()
  })

  it('carries large bodies over HTTP/2 both ways, and headers of any name', async () => {
    const { dial, port } = fixture()
    const session = dial.session(port)
    const stream = session.request({ ':path': '/large', ':method': 'POST', constructor: 'x', 'x-y': 'z' })
    const body = 'body '.repeat(100_000)
    stream.end(body)
    expect(await textOf(stream)).to.equal(`POST /large ${body}`)
    session.close()
  })

  it('ends a request over HTTP/2 whose client goes, and a client whose answer breaks off', async () => {
    const { dial, port, probe } = fixture()
    const session = dial.session(port)
    const endless = session.request({ ':path': '/endless' })
    await once(endless, 'data')
    endless.close(constants.NGHTTP2_CANCEL)
    await probe.until(() => probe.https.includes('/endless is over'))
    const broken = session.request({ ':path': '/broken' })
    // Node's own HTTP/2 gives it no error.
    const gone = new Promise<void>((resolve) => {
      broken.on('error', () => undefined).once('close', resolve)
    })
    broken.resume()
    await gone
    session.close()
  })

  it('answers 500 for a defect of the handler, reports it, and keeps its text to itself', async () => {
    const { dial, port, probe } = fixture()
    expect(await post(dial, port, '/defect?token=x', '')).to.deep.equal({ status: 500, body: 'internal error\n' })
    expect(probe.defects.map(({ method }) => method)).to.deep.equal(['HTTP POST /defect'])
  })

  it('refuses what is no protocol at all', async () => {
    const { dial, port } = fixture()
    const socket = dial.socket(port)
    socket.write(Buffer.from('\0\x01garbage\r\n\r\n'))
    expect(await textOf(socket)).to.match(/^HTTP\/1\.1 400 Bad Request/)
  })

  it('lets an HTTP request finish that is being answered when it closes, and ends idle connections', async () => {
    const { dial, port, transport, probe } = fixture()
    const idle = dial.socket(port)
    idle.write('GET /idle HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(idle, 'data')
    const request = httpRequest({ createConnection: () => dial.socket(port), path: '/slow', method: 'POST' })
    request.write('half of ')
    await probe.until(() => probe.https.includes('/slow'))
    const closed = transport.close(60_000)
    await once(idle, 'close')
    request.end('the body')
    expect(await answerTo(request)).to.deep.equal({ status: 200, body: 'POST /slow half of the body' })
    await closed
  })
}

async function post(dial: Dial, port: number, path: string, body: string) {
  const request = httpRequest({ createConnection: () => dial.socket(port), path, method: 'POST' })
  request.end(body)
  return answerTo(request)
}

async function answerTo(request: ClientRequest): Promise<{ status: number; body: string }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await textOf(response) }
}
