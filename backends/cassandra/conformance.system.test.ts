import { conformance } from '../../conformance/index.ts'
import {
  startCassandraAccessControlHarness,
  startCassandraClusterHarness,
  startCassandraHarness,
} from './harness.fixture.ts'

// a quarter of an hour: the whole catalogue runs in `npm run soak`, or if cases are named
if (process.env['KETA_SCALE'] === 'full' || process.env['KETA_CASES'] !== undefined) {
  conformance(startCassandraHarness)
  conformance(startCassandraClusterHarness)
}
conformance(startCassandraAccessControlHarness, { only: ['E8a', 'E8b', 'S2', 'S8', 'G1', 'R1', 'X1'] })
