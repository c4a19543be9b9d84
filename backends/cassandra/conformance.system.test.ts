import { conformance } from '../../conformance/index.ts'
import {
  startCassandraAccessControlHarness,
  startCassandraClusterHarness,
  startCassandraHarness,
} from './harness.fixture.ts'

conformance(startCassandraHarness)
conformance(startCassandraClusterHarness)
conformance(startCassandraAccessControlHarness, { only: ['E8a', 'E8b'] })
