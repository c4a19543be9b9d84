import { conformance } from '../../conformance/index.ts'
import { startEmbeddedKetaHarness, startKetaAccessControlHarness, startKetaHarness } from './harness.fixture.ts'

conformance(startKetaHarness)
conformance(startEmbeddedKetaHarness)
conformance(startKetaAccessControlHarness, { only: ['E8a', 'E8b', 'S2', 'S8', 'G1', 'R1', 'X1'] })
