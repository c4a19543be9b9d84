import { conformance } from '../../conformance/index.ts'
import { startCassandraClusterHarness, startCassandraHarness } from './harness.fixture.ts'

conformance(startCassandraHarness)
conformance(startCassandraClusterHarness)
