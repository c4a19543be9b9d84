import { conformance } from '../../conformance/index.ts'
import { startCassandraClusterHarness } from './harness.fixture.ts'

conformance(startCassandraClusterHarness)
