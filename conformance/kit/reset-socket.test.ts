import { expect } from 'chai'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { resetSocket } from './reset-socket.ts'

describe('resetting a socket', () => {
  let server: Server
  let accepted: Promise<Socket>
  let socket: Socket

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    accepted = once(server, 'connection').then(([other]) => other as Socket)
    socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
  })
  afterEach(() => {
    server.close()
  })

  it('is seen as a reset at the other end', async () => {
    const other = await accepted
    const failed = once(other.resume(), 'error') as Promise<[NodeJS.ErrnoException]>
    resetSocket(socket)
    expect((await failed)[0].code).to.equal('ECONNRESET')
  })

  it('closes it also while its end is on its way', async () => {
    const other = await accepted
    other.on('error', () => undefined)
    const closed = once(socket, 'close')
    socket.end()
    resetSocket(socket)
    await closed
    other.destroy()
  })

  it('may be done twice', async () => {
    const other = await accepted
    other.on('error', () => undefined).resume()
    const closed = once(socket, 'close')
    resetSocket(socket)
    resetSocket(socket)
    await closed
  })
})
