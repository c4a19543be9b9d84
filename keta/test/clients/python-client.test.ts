/** gRPC's core in C, as Python has it, against Keta and a real etcd: the same program, the same output. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { ensurePythonGrpc } from '../../../test-servers/python.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('./python/scenarios.py', import.meta.url))

describe('gRPC of Python', function () {
  this.timeout(120_000)
  let servers: readonly TestServer[] = []
  let grpc: Awaited<ReturnType<typeof ensurePythonGrpc>>

  before(async function () {
    this.timeout(600_000)
    grpc = await provideOrSkip(this, ensurePythonGrpc)
    await provideOrSkip(this, ensureEtcd)
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    servers = []
  })

  it('calls, watches, compresses, gives up and takes its time with Keta as with etcd', async () => {
    const { python, modules } = grpc
    servers = await Promise.all([startEtcd({ fsync: false }), startKeta()])
    const [etcd, keta] = await Promise.all(
      servers.map(async ({ endpoint }) => {
        const env = { ...process.env, PYTHONPATH: modules }
        const { stdout } = await run(python, [PROGRAM, endpoint], { env, timeout: 100_000 })
        return stdout.split('\n')
      }),
    )
    expect(keta).to.deep.equal(etcd)
    expect(keta).to.have.length.above(20)
  })
})
