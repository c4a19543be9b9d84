/** The state on LMDB on a device that is really full: a small file system in memory, which only root may mount. */
import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MissingToolchainError, provideOrSkip } from '../../test-servers/server.ts'
import { openLmdbBacking } from '../backing/lmdb/lmdb-backing.ts'
import { put } from '../state/operations.fixture.ts'
import { contents, Replica } from '../state/replica.fixture.ts'

describe('state on lmdb on a full device', function () {
  this.timeout(60_000)

  let device: string
  before(async function () {
    device = mkdtempSync(join(tmpdir(), 'keta-lmdb-full-'))
    await provideOrSkip(this, async () => mount(device, '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs'))
  })
  after(() => {
    spawnSync('umount', ['-l', device])
    rmSync(device, { recursive: true, force: true })
  })

  it('says why it failed, stays readable, and goes on from the last commit when there is room again', async () => {
    const options = { directory: join(device, 'state'), logId: 'log', warn: (message: string) => expect.fail(message) }
    const backing = await openLmdbBacking(options)
    const replica = new Replica(await backing.empty())
    const states = new Map<number, string>()
    let failure: Error | undefined
    for (let index = 0; failure === undefined; index++) {
      for (let each = 0; each < 20; each++) replica.run(put(`k${index % 7}`, `${index} ${'v'.repeat(10_000)}`))
      states.set(replica.state.position.offset, contents(replica.state))
      failure = await failureOf(backing.flush())
    }
    expect(failure).to.have.property('code', 'WRITE_FAILED')
    // LMDB takes the short write of a full device for an error of the device.
    expect(String(failure.cause)).to.match(/No space left|Input\/output error/)
    expect(failure).to.have.property('message').that.includes('full')
    expect(await backing.failed).to.equal(failure)
    expect(contents(replica.state)).to.equal(states.get(replica.state.position.offset))
    const durable = backing.durableOffset
    expect(durable).to.be.lessThan(replica.state.position.offset)
    expect(await failureOf(backing.close())).to.equal(failure)

    mount(device, '-o', 'remount,size=64m')
    const next = await openLmdbBacking(options)
    expect(next.restored?.position.offset).to.equal(durable)
    expect(contents(next.restored!)).to.equal(states.get(durable))
    for (let offset = durable + 1; offset < replica.records.length; offset++) {
      next.restored?.apply(offset, replica.records[offset]!)
    }
    await next.flush()
    expect(contents(next.restored!)).to.equal(states.get(replica.state.position.offset))
    await next.close()
  })
})

async function failureOf(done: Promise<void>): Promise<Error | undefined> {
  return done.then(
    () => undefined,
    (error: unknown) => error as Error,
  )
}

function mount(directory: string, ...options: readonly string[]): void {
  const { status, stderr, error } = spawnSync('mount', [...options, directory], { encoding: 'utf8' })
  if (error !== undefined || status !== 0) {
    throw new MissingToolchainError(`no file system can be mounted: ${error?.message ?? stderr.trim()}`)
  }
}
