import { Channel, connectivityState, credentials } from '@grpc/grpc-js'
import { expect } from 'chai'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { ClosableCredentials } from './closable-credentials.ts'

describe('closable credentials', () => {
  let server: Server
  beforeEach(async () => {
    server = createServer((socket) => socket.resume())
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(() => server.close())

  function open(): { channel: Channel; own: ClosableCredentials } {
    const own = new ClosableCredentials(credentials.createInsecure())
    const { port } = server.address() as AddressInfo
    return { own, channel: new Channel(`127.0.0.1:${port}`, own, { 'grpc.use_local_subchannel_pool': 1 }) }
  }

  /** A connection that the server has heard of. */
  async function connected(): Promise<ReturnType<typeof open> & { socket: Socket }> {
    const { channel, own } = open()
    channel.getConnectivityState(true)
    const [socket] = (await once(server, 'connection')) as [Socket]
    await once(socket, 'data')
    return { channel, own, socket }
  }

  it('close a connection to a server that never says a word', async () => {
    const { channel, own, socket } = await connected()
    expect(channel.getConnectivityState(false)).to.equal(connectivityState.CONNECTING)
    channel.close()
    own.close(0)
    await once(socket, 'close')
  })

  it('let nothing be connected after it', async () => {
    const { channel, own } = open()
    own.close(0)
    channel.getConnectivityState(true)
    const [socket] = (await once(server, 'connection')) as [Socket]
    await once(socket, 'close')
    channel.close()
  })

  it('close what is in use when its time is up', async () => {
    const { channel, own, socket } = await connected()
    own.close(10)
    await once(socket, 'close')
    channel.close()
  })

  it('leave alone what is in use', async () => {
    const { channel, own, socket } = await connected()
    own.close(60_000)
    expect(socket.closed).to.equal(false)
    own.close(0)
    await once(socket, 'close')
    channel.close()
  })
})
