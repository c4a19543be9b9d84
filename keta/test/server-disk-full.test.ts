/** A device that is really full, not one that says so: a small file system in memory, which only root may mount. */
import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MissingToolchainError, provideOrSkip } from '../../test-servers/server.ts'
import { KV } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { ApiClient } from './api-client.fixture.ts'
import { kill, launch, served, temporaryDirectory } from './served.fixture.ts'

const FLAGS = ['--segment-bytes=1MiB', '--snapshot-log-bytes=1MiB']
const KEYS = 50

describe('the server on a full device', function () {
  this.timeout(60_000)

  let directory: string
  let device: string
  before(async function () {
    directory = temporaryDirectory('server-disk-full')
    device = join(directory, 'device')
    mkdirSync(device)
    await provideOrSkip(this, async () => mount(device, '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs'))
  })
  after(() => {
    spawnSync('umount', ['-l', device])
    rmSync(directory, { recursive: true, force: true })
  })

  it('ends with 1, says why, and has every acknowledged write when there is room again', async () => {
    const dataDir = join(device, 'data')
    const full = await served(launch(dataDir, FLAGS))
    const client = new ApiClient(full.endpoint)
    const acknowledged = await writeUntilRefused(client)
    client.close()
    const { code } = await full.process.finished
    expect(code).to.equal(1)
    expect(full.process.log.at(-1)).to.include({ level: 'error', msg: 'stopped because of a failure' })
    expect(JSON.stringify(full.process.log.at(-1)))
      .to.include('ENOSPC')
      .and.to.include('free space on the device')
    expect(acknowledged.size).to.equal(KEYS)

    mount(device, '-o', 'remount,size=64m')
    const roomy = await served(launch(dataDir, FLAGS))
    const next = new ApiClient(roomy.endpoint)
    for (const [key, { revision, value }] of acknowledged) {
      const { kvs } = await next.call(KV.method.range, { key: Buffer.from(key) })
      const [kv] = kvs
      // The write that was in flight may have been done.
      expect(Number(kv?.modRevision), key).to.be.at.least(Number(revision))
      if (kv?.modRevision === revision) expect(Buffer.from(kv.value).equals(value)).to.equal(true)
    }
    await next.call(KV.method.put, { key: Buffer.from('more') })
    next.close()
    await kill(roomy.process)
  })
})

/** The newest acknowledged write of each key. */
async function writeUntilRefused(
  client: ApiClient,
): Promise<ReadonlyMap<string, { readonly revision: bigint; readonly value: Buffer }>> {
  const acknowledged = new Map<string, { readonly revision: bigint; readonly value: Buffer }>()
  for (let count = 0; ; count++) {
    const [key, value] = [`key-${count % KEYS}`, Buffer.alloc(30_000, `${count} `)]
    try {
      const { header } = await client.call(KV.method.put, { key: Buffer.from(key), value })
      acknowledged.set(key, { revision: header?.revision ?? 0n, value })
    } catch {
      return acknowledged
    }
  }
}

/** @throws MissingToolchainError if this user may not */
function mount(directory: string, ...options: readonly string[]): void {
  const { status, stderr, error } = spawnSync('mount', [...options, directory], { encoding: 'utf8' })
  if (error !== undefined || status !== 0) {
    throw new MissingToolchainError(`no file system can be mounted: ${error?.message ?? stderr.trim()}`)
  }
}
