import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'

import { expect } from 'chai'

import { grpcJsNetwork } from './grpc-js-network.ts'
import { answering, SECRET, signal } from './pair.fixture.ts'
import { createPeers } from './peers.ts'

const LOCAL = '127.0.0.1'

describe('the network between nodes', () => {
  const network = grpcJsNetwork(SECRET)

  function probed(host: string, port: number): Promise<boolean> {
    return new Promise((resolve) => {
      network.probe({ host, port }, resolve)
    })
  }

  it('tells whether an address refuses a connection', async () => {
    const server = createServer()
    await once(server.listen(0, LOCAL), 'listening')
    const { port } = server.address() as AddressInfo
    expect(await probed(LOCAL, port)).to.equal(false)
    server.close()
    expect(await probed(LOCAL, port)).to.equal(true)
  })

  it('does not take an address that cannot be reached for one that refuses', async () => {
    expect(await probed('255.255.255.255', 1)).to.equal(false)
  })

  it('says nothing to who no longer wants to know', async () => {
    let told = false
    network
      .probe({ host: LOCAL, port: 1 }, () => {
        told = true
      })
      .cancel()
    await probed(LOCAL, 1)
    expect(told).to.equal(false)
  })

  it('throws at once for what is not a URL', () => {
    const nothing = (): void => expect.fail('an event')
    const events = { opened: nothing, message: nothing, drained: nothing, ended: nothing }
    expect(() => network.dial('nowhere', events)).to.throw(TypeError)
  })

  it('knows the addresses of IPv6 too', async function () {
    const hasLoopback = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
    if (!hasLoopback) this.skip()
    const node = await answering(() => ({ kind: 'done' }), 0, '::1')
    const gone = signal()
    const link = createPeers({ secret: SECRET }).connect([node.url], () => gone.resolve())
    await link.request({ kind: 'ping' }, 1500)
    await node.close()
    await gone.promise
    link.close()
  })
})
