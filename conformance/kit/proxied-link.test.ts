import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Link } from './link.ts'
import { openLink } from './proxied-link.ts'
import { startProxy } from './proxy.ts'
import { seeded } from './seeded.ts'

/** How long what must not come is waited for. Milliseconds. */
const QUIET_MS = 40

describe('a link', () => {
  const closing: (() => Promise<void> | void)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function listen(serve: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>()
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on('error', () => undefined))
      serve(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async function linkTo(...endpoints: string[]): Promise<Link> {
    const link = await openLink(endpoints, seeded('a test'))
    closing.push(() => link.close())
    return link
  }

  async function echoLink(): Promise<Link> {
    return linkTo(await listen((socket) => socket.on('data', (bytes) => socket.write(bytes))))
  }

  async function dial(endpoint: string | undefined): Promise<Client> {
    const client = new Client(endpoint ?? expect.fail('no endpoint'))
    closing.push(() => client.destroy())
    await client.connected
    return client
  }

  it('carries bytes both ways, and the end of either direction', async () => {
    const link = await linkTo(
      await listen((socket) => {
        const pieces: Buffer[] = []
        socket.on('data', (bytes) => pieces.push(bytes)).on('end', () => socket.end(Buffer.concat(pieces).reverse()))
      }),
    )
    const client = await dial(link.endpoints[0])
    client.write('abc')
    client.end()
    await client.ended
    expect(client.text).to.equal('cba')
    expect(link.connections).to.equal(0)
  })

  it('carries a reset', async () => {
    const link = await linkTo(await listen((socket) => socket.once('data', () => socket.resetAndDestroy())))
    const client = await dial(link.endpoints[0])
    client.write('x')
    expect(await client.over).to.equal('ECONNRESET')
  })

  it('resets a connection to a server that is not there', async () => {
    const link = await linkTo('127.0.0.1:1')
    expect(await (await dial(link.endpoints[0])).over).to.equal('ECONNRESET')
  })

  it('cut: resets what there is, refuses what comes, works again on the same port when healed', async () => {
    const link = await echoLink()
    const [endpoint] = link.endpoints
    const before = await dial(endpoint)
    link.cut()
    expect(await before.over).to.equal('ECONNRESET')
    expect(await codeOf(dial(endpoint))).to.equal('ECONNREFUSED')
    link.heal()
    await echoes(await dialAgain(() => dial(endpoint)))
    link.cut()
    link.heal()
    link.cut()
    await turn()
    expect(await codeOf(dial(endpoint))).to.equal('ECONNREFUSED')
  })

  it('cut: no other proxy gets its port, which is free meanwhile', async () => {
    const link = await echoLink()
    const [endpoint = ''] = link.endpoints
    const port = Number(endpoint.split(':')[1])
    link.cut()
    const starting = startProxy(endpoint, seeded('a test'), { lowest: port, end: port + 1 })
    closing.push(() => starting.then((proxy) => proxy.close()).catch(() => undefined))
    expect(await starting.catch(String)).to.include('no free port')
    link.heal()
    await echoes(await dialAgain(() => dial(endpoint)))
  })

  it('black hole: passes nothing on in that direction, and all of it when healed', async () => {
    for (const direction of ['to-server', 'to-client', 'both'] as const) {
      const arrived: string[] = []
      const link = await linkTo(
        await listen((socket) => socket.on('data', (bytes) => arrived.push(String(bytes)) && socket.write(bytes))),
      )
      const client = await dial(link.endpoints[0])
      await echoes(client)
      arrived.length = 0
      link.blackHole(direction)
      client.write('lost?')
      if (direction === 'to-client') await until(() => arrived.length === 1)
      await quiet()
      expect(arrived, direction).to.deep.equal(direction === 'to-client' ? ['lost?'] : [])
      expect(client.text, direction).to.equal('')
      link.heal()
      await client.receives('lost?')
      expect(arrived, direction).to.deep.equal(['lost?'])
    }
  })

  it('black hole: the server learns neither of a client that goes nor of one that comes', async () => {
    const seen: string[] = []
    const link = await linkTo(
      await listen((socket) => {
        seen.push('come')
        socket.resume().on('end', () => {
          seen.push('gone')
          socket.end()
        })
      }),
    )
    const client = await dial(link.endpoints[0])
    await until(() => seen.length === 1)
    link.blackHole('to-server')
    client.destroy()
    await dial(link.endpoints[0])
    await quiet()
    expect(seen).to.deep.equal(['come'])
    link.heal()
    await until(() => seen.length === 3)
    expect(seen.sort()).to.deep.equal(['come', 'come', 'gone'])
  })

  it('black hole: stops reading instead of holding everything', async () => {
    const link = await echoLink()
    const client = await dial(link.endpoints[0])
    await echoes(client)
    link.blackHole('both')
    const piece = 'x'.repeat(1024 * 1024)
    for (let sent = 0; sent < 64; sent++) client.write(piece)
    await quiet()
    expect(client.unsent, 'bytes that nobody takes').to.be.greaterThan(16 * piece.length)
  })

  it('delay: passes each piece on so much later, in order', async () => {
    const link = await echoLink()
    const client = await dial(link.endpoints[0])
    await echoes(client)
    link.delay(20, 15)
    const start = performance.now()
    let sent = ''
    for (let piece = 0; piece < 20; piece++) {
      client.write(`${piece},`)
      sent += `${piece},`
      await turn()
    }
    await client.receives(sent)
    expect(performance.now() - start).to.be.at.least(10)
    for (const direction of ['to-server', 'to-client'] as const) {
      link.delay(100, 0, direction)
      const took: number[] = []
      for (let attempt = 0; attempt < 5; attempt++) {
        const begin = performance.now()
        await echoes(client)
        took.push(performance.now() - begin)
      }
      // The fastest: a busy machine can make any of them slow, but none that is delayed both ways fast.
      expect(Math.min(...took), `one way, ${direction}`).to.be.within(95, 195)
    }
    link.delay(0)
    await echoes(client)
  })

  it('unreliable: resets by chance', async () => {
    const link = await echoLink()
    const client = await dial(link.endpoints[0])
    link.unreliable(1)
    client.write('x')
    expect(await client.over).to.equal('ECONNRESET')
    link.unreliable(0)
    await echoes(await dial(link.endpoints[0]))
  })

  it('holds replies and drops them: the server has done what the client sees fail', async () => {
    const arrived: string[] = []
    const link = await linkTo(
      await listen((socket) => socket.on('data', (bytes) => arrived.push(String(bytes)) && socket.write(bytes))),
    )
    const client = await dial(link.endpoints[0])
    link.holdReplies()
    client.write('a write')
    await until(() => arrived.length === 1)
    link.resetAll()
    expect(await client.over).to.equal('ECONNRESET')
    expect(client.text).to.equal('')
    await echoes(await dial(link.endpoints[0]))
  })

  it('only: the other endpoints are dead', async () => {
    const echo = (socket: Socket) => socket.on('data', (bytes) => socket.write(bytes))
    const link = await linkTo(await listen(echo), await listen(echo))
    const [first, second] = link.endpoints
    link.only(1)
    expect(await codeOf(dial(first))).to.equal('ECONNREFUSED')
    await echoes(await dial(second))
    expect(() => link.only(2)).to.throw(RangeError)
    link.heal()
    await echoes(await dialAgain(() => dial(first)))
  })

  it('leaves no socket behind, however often it is cut', async () => {
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = sockets()
    const link = await echoLink()
    const clients = await Promise.all(Array.from({ length: 8 }, () => dial(link.endpoints[0])))
    for (const client of clients) await echoes(client)
    for (const client of clients.slice(0, 4)) client.end()
    link.cut()
    link.resetAll()
    link.cut()
    await link.close()
    await Promise.all(clients.map(({ over }) => over))
    await until(() => sockets() === before)
  })

  it('counts the connections that clients hold', async () => {
    const link = await echoLink()
    const [one, two] = [await dial(link.endpoints[0]), await dial(link.endpoints[0])]
    await echoes(one)
    await echoes(two)
    expect(link.connections).to.equal(2)
    one.destroy()
    await until(() => link.connections === 1)
  })

  it('of a store without a network cannot be disturbed', async () => {
    const link = await linkTo()
    expect(link.endpoints).to.deep.equal([])
    expect(() => link.cut()).to.throw('no network')
    link.heal()
  })
})

/** A socket that remembers. */
class Client {
  readonly connected: Promise<unknown>
  readonly ended: Promise<unknown>
  /** The code of its error, if it had one. */
  readonly over: Promise<string | undefined>
  readonly #socket: Socket
  #text = ''

  constructor(endpoint: string) {
    const [host = '', port = ''] = endpoint.split(':')
    this.#socket = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
    this.connected = once(this.#socket, 'connect')
    this.#socket.on('data', (bytes) => {
      this.#text += String(bytes)
    })
    this.ended = once(this.#socket, 'end')
    this.ended.catch(() => undefined)
    let code: string | undefined
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code
    })
    this.over = new Promise((resolve) => {
      this.#socket.once('close', () => resolve(code))
    })
  }

  /** Received since the last {@link receives}. */
  get text(): string {
    return this.#text
  }

  get unsent(): number {
    return this.#socket.writableLength
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async receives(text: string): Promise<void> {
    await until(() => this.#text.length >= text.length)
    expect(this.#text).to.equal(text)
    this.#text = ''
  }
}

async function echoes(client: Client): Promise<void> {
  client.write('hello')
  await client.receives('hello')
}

async function codeOf(task: Promise<unknown>): Promise<string | undefined> {
  return task.then(
    () => 'it succeeded',
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  )
}

/** A port that is opened again takes a turn of the loop. */
async function dialAgain(dial: () => Promise<Client>): Promise<Client> {
  await turn()
  return dial()
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 5_000) expect.fail('it does not come')
    await turn()
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1)
  })
}

function quiet(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, QUIET_MS)
  })
}
