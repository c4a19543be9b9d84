import { conformance } from '../../conformance/index.ts'
import { LONG_TTL_MS, makeInProcessHarness, startServedHarness } from './harness.fixture.ts'

describe('the reference backend, served', () => {
  conformance(() => startServedHarness(LONG_TTL_MS))
})

describe('the reference backend, within one process', () => {
  conformance(makeInProcessHarness(LONG_TTL_MS))
})
