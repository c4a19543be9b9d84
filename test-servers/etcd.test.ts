/** The real etcd as a test server: its whole life, and the reasons it gives when it does not start. */
import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from './etcd.ts'
import { answersReads } from './etcd-ready.ts'
import { acceptsConnections } from './ports.ts'
import { provideOrSkip } from './server.ts'

describe('a real etcd as a test server', function () {
  this.timeout(600_000)

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
  })

  it('answers, keeps its endpoint over kill and restart, and leaves nothing behind', async () => {
    const descriptors = openDescriptors()
    const server = await startEtcd()
    const firstPid = server.pid
    await server.kill()
    expect(await acceptsConnections(server.endpoint)).to.equal(false)
    await server.restart()
    expect(await answersReads(server.endpoint)).to.equal(true)
    expect(server.pid).to.not.equal(firstPid)
    server.pause()
    server.resume()
    expect(await answersReads(server.endpoint)).to.equal(true)
    await server.stop()
    await server.stop()
    expect(existsSync(server.dataDir)).to.equal(false)
    expect(() => server.pid).to.throw('etcd is not running')
    expect(openDescriptors()).to.be.at.most(descriptors + 1)
  })

  it('says why a server did not start', async () => {
    const failure = await startEtcd({ flags: ['--no-such-flag'] }).then(
      () => undefined,
      (error: unknown) => String(error),
    )
    expect(failure).to.match(/etcd ended at its start:[^]*no-such-flag/)
  })
})

/** How many file descriptors this process holds; one is the reaper's pipe. */
function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}
