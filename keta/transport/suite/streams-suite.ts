/** The shared tests of transports: streams, and back-pressure on them. */
import { Metadata } from '@grpc/grpc-js'
import { expect } from 'chai'

import { RpcError, STATUS } from '../transport.ts'
import { callUnary, type Fixture, frame, openStream, rawRequest, text } from './fixture-suite.ts'

export function describeStreams(fixture: () => Fixture): void {
  it('carries requests and answers in order, and ends the stream when the handler says so', async () => {
    const { client, probe } = fixture()
    probe.onMessage = (handler, request) => {
      handler.out.send(Buffer.concat([Buffer.from('re:'), request]))
      if (text(request) === 'end') handler.out.end()
    }
    const { send, status, answers } = openStream(client)
    for (const message of ['a', 'b', 'c', 'end']) send(message)
    expect((await status).code).to.equal(STATUS.OK)
    expect(answers.map(text)).to.deep.equal(['re:a', 're:b', 're:c', 're:end'])
    await probe.until(() => probe.streams[0]!.closes > 0)
    expect(probe.streams[0]).to.include({ closes: 1, afterClose: 0 })
  })

  it('lets the handler send long after the client has half-closed', async () => {
    const { client, probe } = fixture()
    const { call, status, received, send } = openStream(client)
    send('only')
    call.end()
    await probe.until(() => probe.streams[0]?.halfClosedSeen === true)
    probe.streams[0]!.out.send(Buffer.from('event'))
    expect((await received(1)).map(text)).to.deep.equal(['event'])
    expect(probe.streams[0]!.closes).to.equal(0)
    probe.streams[0]!.out.end()
    expect((await status).code).to.equal(STATUS.OK)
  })

  it('gives the error that ends a stream, after the answers before it', async () => {
    const { client, probe } = fixture()
    probe.onMessage = (handler) => {
      handler.out.send(Buffer.from('last'))
      handler.out.fail(new RpcError(STATUS.UNAVAILABLE, 'gone: ключ'))
    }
    const { send, status, answers } = openStream(client)
    send('x')
    expect(await status).to.deep.equal({ code: STATUS.UNAVAILABLE, details: 'gone: ключ' })
    expect(answers.map(text)).to.deep.equal(['last'])
  })

  it('lets a stream be refused when it opens', async () => {
    const metadata = new Metadata()
    metadata.set('refuse', 'at-open')
    const { status } = openStream(fixture().client, metadata)
    expect(await status).to.deep.equal({ code: STATUS.UNAUTHENTICATED, details: 'refused at open' })
    expect(fixture().probe.defects).to.deep.equal([])
  })

  it('ends a stream whose handler is defective, or is sent what is not a message', async () => {
    const { client, probe } = fixture()
    probe.onMessage = (_, request) => {
      if (text(request) === 'reject') return Promise.reject(new Error('secret'))
      throw new Error('secret')
    }
    for (const message of ['throw', 'reject']) {
      const { send, status } = openStream(client)
      send(message)
      expect(await status)
        .to.include({ code: STATUS.INTERNAL })
        .and.have.property('details')
        .that.does.not.include('secret')
    }
    expect(probe.defects.map(({ method }) => method)).to.deep.equal(Array(2).fill('test.Service/Stream'))
    const malformed = openStream(client)
    malformed.send('malformed')
    expect(await malformed.status).to.deep.equal({
      code: STATUS.INTERNAL,
      details: 'grpc: error unmarshalling request: not a message',
    })
    await probe.until(() => probe.streams.every(({ closes }) => closes === 1))
  })

  it('tells the handler once when the client cancels, and nothing after it', async () => {
    const { client, probe } = fixture()
    const { call, send } = openStream(client)
    send('a')
    await probe.until(() => probe.streams[0]?.received.length === 1)
    call.cancel()
    await probe.until(() => probe.streams[0]!.closes > 0)
    expect(probe.streams[0]!.out.send(Buffer.from('late'))).to.equal(false)
    probe.streams[0]!.out.end()
    await callUnary(client, 'x')
    expect(probe.streams[0]).to.include({ closes: 1, afterClose: 0 })
  })

  it('tells the handler when the connection breaks', async () => {
    const { dial, port, probe } = fixture()
    const session = dial.session(port)
    session.on('error', () => undefined)
    rawRequest(session, '/test.Service/Stream').write(frame('a'))
    await probe.until(() => probe.streams[0]?.received.length === 1)
    session.destroy()
    await probe.until(() => probe.streams[0]!.closes === 1)
  })

  it('keeps a thousand streams of one connection apart', async () => {
    const { client, probe } = fixture()
    probe.onMessage = (handler, request) => {
      handler.out.send(request)
    }
    const streams = Array.from({ length: 1000 }, () => openStream(client))
    streams.forEach(({ send }, index) => send(String(index)))
    const answers = await Promise.all(streams.map(({ received }) => received(1)))
    expect(answers.map(([answer]) => text(answer!))).to.deep.equal(streams.map((_, index) => String(index)))
    for (const { call } of streams) call.cancel()
  })
}

export function describeBackPressure(fixture: () => Fixture): void {
  it('reads no further request while the handler works on one', async () => {
    const { client, probe } = fixture()
    let finish: () => void = () => undefined
    probe.onMessage = () =>
      new Promise((resolve) => {
        finish = resolve
      })
    const { send, call } = openStream(client)
    for (let index = 0; index < 3; index++) send(String(index))
    call.end()
    await probe.until(() => probe.streams[0]?.received.length === 1)
    for (let count = 1; count <= 3; count++) {
      await callUnary(client, 'a round trip, in which the next message would have come')
      expect(probe.streams[0]!.received).to.have.length(count)
      expect(probe.streams[0]!.halfClosedSeen).to.equal(false)
      finish()
      await probe.until(() => probe.streams[0]!.received.length > count || probe.streams[0]!.halfClosedSeen)
    }
  })

  it('reports a client that does not read, reads no more from it, and goes on when it reads again', async () => {
    const { dial, port, probe } = fixture()
    const chunk = Buffer.alloc(64 * 1024)
    let took = true
    probe.onMessage = (handler) => {
      took = handler.out.send(chunk)
      probe.changed()
    }
    const session = dial.session(port)
    session.on('error', () => undefined)
    const request = rawRequest(session, '/test.Service/Stream')
    request.pause()
    const messages = 500
    for (let index = 0; index < messages; index++) request.write(frame('more'))
    await probe.until(() => !took)
    const stalled = probe.streams[0]!.received.length
    expect(stalled).to.be.lessThan(100)
    expect(probe.streams[0]!.drains).to.equal(0)
    let bytes = 0
    request.on('data', (data: Buffer) => {
      bytes += data.length
      if (bytes === messages * (chunk.length + 5)) probe.changed()
    })
    request.resume()
    await probe.until(() => bytes === messages * (chunk.length + 5))
    expect(probe.streams[0]!.drains).to.be.greaterThan(0)
    expect(probe.streams[0]!.received).to.have.length(messages)
    session.destroy()
  })

  it('reads no further calls of a connection that does not take its answers', async () => {
    const { dial, port, probe, client } = fixture()
    const answer = Buffer.alloc(1024 * 1024)
    let handled = 0
    probe.onUnary = (request) => {
      if (text(request) !== 'large') return request
      handled++
      probe.changed()
      return answer
    }
    const session = dial.session(port)
    session.on('error', () => undefined)
    const calls = 100
    let bytes = 0
    const requests = Array.from({ length: calls }, () => {
      const request = rawRequest(session, '/test.Service/Unary')
      request.end(frame('large'))
      return request
    })
    await probe.until(() => handled >= 5)
    await new Promise<void>((resolve) => {
      session.ping(() => {
        resolve()
      })
    })
    expect(handled).to.be.lessThan(calls)
    expect(await callUnary(client, 'of another connection')).to.have.property('answer')
    for (const request of requests) {
      request.on('data', (data: Buffer) => {
        bytes += data.length
        probe.changed()
      })
    }
    await probe.until(() => bytes === calls * (answer.length + 5))
    session.destroy()
  })

  it('takes thousands of requests that arrive in one piece', async () => {
    const { dial, port, probe } = fixture()
    const session = dial.session(port)
    session.on('error', () => undefined)
    const request = rawRequest(session, '/test.Service/Stream')
    request.write(Buffer.concat(Array.from({ length: 20_000 }, () => frame(''))))
    await probe.until(() => probe.streams[0]?.received.length === 20_000)
    session.destroy()
  })
}
