import { conformance } from '../../conformance/index.ts'
import { startCassandraAccessControlHarness, startCassandraHarness } from './harness.fixture.ts'

conformance(startCassandraHarness)
conformance(startCassandraAccessControlHarness, { only: ['E8a', 'E8b', 'S2', 'S8', 'G1', 'R1', 'X1'] })
