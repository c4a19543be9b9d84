/**
 * etcdctl's own load test, which runs for a minute. Whether the server is fast enough for it depends on the machine, so
 * only that it completes is tested; `bench/` measures.
 */
import { expect } from 'chai'
import { ensureEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { etcdctl } from './etcdctl.ts'

describe('etcdctl check perf', function () {
  this.timeout(180_000)

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureEtcd)
  })

  it('runs to its end without an error, and leaves nothing behind', async () => {
    const server = await startKeta()
    try {
      const { stdout, stderr } = await etcdctl(server, ['check', 'perf', '--load=s', '--auto-compact'], '', 120_000)
      expect(stdout, stderr).to.match(/Throughput (is|too low)/)
      expect(stdout + stderr).to.not.match(/error|Error/)
      const left = await etcdctl(server, ['get', '', '--prefix', '--count-only', '-w', 'fields'])
      expect(left.stdout).to.match(/"Count" : 0\n/)
    } finally {
      await server.stop()
    }
  })
})
