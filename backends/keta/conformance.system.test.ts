import { conformance } from '../../conformance/index.ts'
import { startEmbeddedKetaHarness, startKetaHarness } from './harness.fixture.ts'

conformance(startKetaHarness)
conformance(startEmbeddedKetaHarness)
