import { expect } from 'chai'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'

import { WebSockets } from './web-sockets.ts'

const MAX_MESSAGE_BYTES = 1000

describe('WebSockets of the gateway', () => {
  let server: Server
  let handler: (request: IncomingMessage, response: ServerResponse) => void
  let isAdmitted: boolean
  const taken: boolean[] = []
  const clients: WebSocket[] = []

  beforeEach(async () => {
    isAdmitted = true
    const webSockets = new WebSockets({
      handler: (request, response) => handler(request, response),
      isAdmitted: () => isAdmitted,
      maxMessageBytes: MAX_MESSAGE_BYTES,
    })
    server = createServer()
    server.on('upgrade', (request, socket, head) => {
      taken.push(webSockets.take(request, socket, head))
      if (taken.at(-1) === false) socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.terminate()
    taken.length = 0
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  function connect(path = '/v3/watch?a=b', ...more: [protocols?: string[], options?: object]): WebSocket {
    const { port } = server.address() as AddressInfo
    const [protocols = [], options = {}] = more
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, options)
    clients.push(client)
    return client
  }

  async function opened(...args: Parameters<typeof connect>): Promise<WebSocket> {
    const client = connect(...args)
    await once(client, 'open')
    return client
  }

  const messages = async (client: WebSocket): Promise<readonly string[]> => {
    const all: string[] = []
    client.on('message', (data: Buffer, isBinary) => all.push(isBinary ? 'binary' : data.toString()))
    await once(client, 'close')
    return all
  }

  it('hand on what comes as the body of a POST, and each line of the answer', async () => {
    const seen: unknown[] = []
    handler = (request, response) => {
      seen.push(request.method, request.url, request.headers.origin, request.socket.remoteAddress)
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
        if (body !== '{"a":\n1}\n{}\n') return
        response.write('{"first":"li')
        response.write('ne"}\n\n{"second":"línea"}\n{"thi')
        response.end('rd":1}')
      })
    }
    const client = await opened('/v3/watch?a=b', [], { origin: 'http://page' })
    client.send('{"a":')
    client.send(Buffer.from('1}'))
    client.send('{}')
    expect(await messages(client)).to.deep.equal(['{"first":"line"}', '{"second":"línea"}', '{"third":1}'])
    expect(seen).to.deep.equal(['POST', '/v3/watch?a=b', 'http://page', '127.0.0.1'])
    expect(client.readyState).to.equal(WebSocket.CLOSED)
  })

  it('take tokens as a subprotocol or from a cookie', async () => {
    handler = (request, response) => response.end(request.headers.authorization ?? 'none')
    const answered = async (protocols: string[], cookie?: string): Promise<readonly string[]> => {
      const client = connect('/v3/kv/range', protocols, cookie === undefined ? {} : { headers: { cookie } })
      return [...(await messages(client)), client.protocol]
    }
    expect(await answered([])).to.deep.equal(['none', ''])
    expect(await answered(['Bearer', 'a.b'])).to.deep.equal(['Bearer a.b', 'Bearer'])
    expect(await answered([], 'x=y; token=c.d')).to.deep.equal(['Bearer c.d', ''])
    expect(await answered(['Bearer', 'a.b'], 'token=c.d')).to.deep.equal(['Bearer c.d', 'Bearer'])
  })

  it('leave alone what is no WebSocket of the gateway, or not admitted', async () => {
    handler = () => expect.fail('served')
    const refused = async (...args: Parameters<typeof connect>): Promise<void> => {
      const [error] = (await once(connect(...args), 'error').catch((cause: unknown) => [cause])) as [Error]
      expect(error.message).to.equal('Unexpected server response: 200')
    }
    await refused('/health')
    isAdmitted = false
    await refused()
    expect(taken).to.deep.equal([false, false])
  })

  it('end the call when their client goes', async () => {
    const gone = new Promise<void>((resolve) => {
      handler = (_request, response) => {
        response.write('{}\n')
        response.once('close', resolve)
      }
    })
    const client = connect()
    await once(client, 'message')
    client.terminate()
    await gone
  })

  it('are closed when the call breaks off', async () => {
    handler = (_request, response) => response.destroy()
    const client = await opened()
    const [code] = (await once(client, 'close')) as [number]
    expect(code).to.equal(1011)
  })

  it('end in good order while their client still sends', async () => {
    handler = (_request, response) => response.end('over')
    const client = connect()
    client.on('message', () => {
      for (let count = 0; count < 100; count++) client.send('more')
    })
    const [code] = (await once(client, 'close')) as [number]
    expect(code).to.equal(1000)
  })

  it('take no message that is too large', async () => {
    handler = () => undefined
    const client = await opened()
    client.send('x'.repeat(MAX_MESSAGE_BYTES + 1))
    const [code] = (await once(client, 'close')) as [number]
    expect(code).to.equal(1009)
  })

  it('hold back a call whose client does not read, and a client whose call does not', async () => {
    const line = `${'x'.repeat(100_000)}\n`
    let written = 0
    let resume: () => void = () => undefined
    handler = (request, response) => {
      resume = () => request.resume()
      const more = (): void => {
        do written++
        while (response.write(line) && written < 500)
        if (written < 500) response.once('drain', more)
        else response.end()
      }
      more()
    }
    const client = await opened()
    client.pause()
    await settled(() => written)
    expect(written, 'lines of 100 kB that were written with nobody reading').to.be.below(100)
    let sent = 0
    const message = 'y'.repeat(MAX_MESSAGE_BYTES)
    for (let count = 0; count < 10_000; count++) {
      client.send(message, () => sent++)
      if (count % 500 === 0) await delay(1)
    }
    await settled(() => sent)
    expect(sent, 'messages of 1 kB that were taken with nobody reading').to.be.below(5_000)
    resume()
    client.resume()
    const all = await messages(client)
    expect(all).to.have.length(500)
  })
})

/** Resolves when a number no longer changes. */
async function settled(value: () => number): Promise<void> {
  let before = -1
  while (value() !== before) {
    before = value()
    await delay(100)
  }
}
