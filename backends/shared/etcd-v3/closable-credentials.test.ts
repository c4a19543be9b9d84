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

  it('close a connection to a server that never says a word', async () => {
    const { channel, own } = open()
    channel.getConnectivityState(true)
    const [socket] = (await once(server, 'connection')) as [Socket]
    await once(socket, 'data')
    expect(channel.getConnectivityState(false)).to.equal(connectivityState.CONNECTING)
    channel.close()
    own.close(false)
    await once(socket, 'close')
  })

  it('let nothing be connected after it', async () => {
    const { channel, own } = open()
    own.close(false)
    channel.getConnectivityState(true)
    const [socket] = (await once(server, 'connection')) as [Socket]
    await once(socket, 'close')
    channel.close()
  })

  it('leave alone what is in use', async () => {
    const { channel, own } = open()
    channel.getConnectivityState(true)
    const [socket] = (await once(server, 'connection')) as [Socket]
    await once(socket, 'data')
    own.close(true)
    expect(socket.closed).to.equal(false)
    own.close(false)
    await once(socket, 'close')
    channel.close()
  })
})
