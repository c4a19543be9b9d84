import { conformance } from '../../conformance/index.ts'
import {
  startZooKeeperAccessControlHarness,
  startZooKeeperEnsembleHarness,
  startZooKeeperHarness,
} from './harness.fixture.ts'

conformance(startZooKeeperHarness)
conformance(startZooKeeperEnsembleHarness)
conformance(startZooKeeperAccessControlHarness, { only: ['E8b', 'S2', 'S8', 'G1', 'R1', 'X1'] })
