import { conformance } from '../../conformance/index.ts'
import { ensureKafka } from '../../test-servers/kafka.ts'
import { provideOrSkip } from '../../test-servers/server.ts'
import { startKetaClusterHarness } from './harness.fixture.ts'

describe('a cluster of keta on Kafka', () => {
  before(async function () {
    this.timeout(0)
    await provideOrSkip(this, () => ensureKafka('3.9'))
  })

  // three nodes and a Kafka want processors of their own: more clients at once, and leases end for want of one
  conformance(startKetaClusterHarness, { concurrency: 2 })
})
