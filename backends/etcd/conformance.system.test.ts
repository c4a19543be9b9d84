import { conformance } from '../../conformance/index.ts'
import { startEtcdAccessControlHarness, startEtcdClusterHarness, startEtcdHarness } from './harness.fixture.ts'

conformance(startEtcdHarness)
conformance(startEtcdClusterHarness)
conformance(startEtcdAccessControlHarness, { only: ['E8a', 'E8b', 'S2', 'S8', 'G1', 'R1', 'X1'] })
