import { expect } from 'chai'
import { createServer } from 'node:net'
import { BrokerError } from '../errors.ts'
import { Connection } from './connection.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import { WireServer } from './server.ts'

describe('frames', () => {
  it('come out as they went in, however the bytes arrive', () => {
    const frames = [
      encodeFrame({ id: 1, api: 'a' }, Buffer.from('body')),
      encodeFrame({}),
      encodeFrame({ text: 'ä€' }, Buffer.alloc(1000, 7)),
    ]
    const all = Buffer.concat(frames)
    for (const step of [1, 3, 7, 64, all.length]) {
      const reader = new FrameReader()
      const read = []
      for (let at = 0; at < all.length; at += step) read.push(...reader.push(all.subarray(at, at + step)))
      expect(read.map(({ header }) => header)).to.deep.equal([{ id: 1, api: 'a' }, {}, { text: 'ä€' }])
      expect(read.map(({ body }) => body.length)).to.deep.equal([4, 0, 1000])
    }
  })

  it('that are none are refused', () => {
    const nonsense = [
      Buffer.from([255, 255, 255, 255]),
      Buffer.from([0, 0, 0, 2, 0, 0]),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 9]),
      Buffer.from([0, 0, 0, 5, 0, 0, 0, 1, 65]),
    ]
    for (const bytes of nonsense) expect(() => new FrameReader().push(bytes)).to.throw(BrokerError, 'received')
  })
})

describe('a connection', () => {
  it('gives each request its own answer, whichever comes first', async () => {
    let letGo: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const server = new WireServer(async (api, { body }) => {
      if (api === 'slow') await gate
      if (api === 'bad') throw new BrokerError('NOT_LEADER', 'elsewhere')
      return { header: { api }, body }
    })
    const connection = new Connection(await server.listen({ host: '127.0.0.1', port: 0 }))
    const slow = connection.request('slow')
    const fast = await connection.request('fast', {}, Buffer.from('x'))
    expect([fast.header['api'], String(fast.body)]).to.deep.equal(['fast', 'x'])
    expect(await refusal(connection.request('bad'))).to.equal('NOT_LEADER')
    expect(await refusal(connection.request('slow', {}, undefined, 5))).to.equal('REQUEST_TIMED_OUT')
    letGo()
    expect((await slow).header['api']).to.equal('slow')
    const pending = connection.request('slow')
    connection.close()
    expect(await refusal(pending)).to.equal('DISCONNECTED')
    expect(connection.isUsable).to.equal(false)
    await server.close()
  })

  it('ends with its server, or where there is none', async () => {
    const server = new WireServer(() => Promise.race<never>([]))
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    const pending = new Connection(address).request('anything')
    pending.catch(() => undefined)
    const other = new WireServer(async () => ({ header: {} }))
    expect(await refusal(other.listen(address))).to.equal('INVALID_REQUEST')
    await server.close()
    expect(await refusal(pending)).to.equal('DISCONNECTED')
    expect(await refusal(new Connection(address).request('anything'))).to.equal('DISCONNECTED')
  })

  it('is given up when the other side talks nonsense', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    expect(await refusal(new Connection({ host: '127.0.0.1', port }).request('x'))).to.equal('DISCONNECTED')
    server.close()
  })
})

async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
    return 'none'
  } catch (error) {
    return error instanceof BrokerError ? error.code : error
  }
}
