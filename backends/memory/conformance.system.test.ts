import { conformance } from '../../conformance/index.ts'
import { makeInProcessHarness, startServedHarness } from './harness.fixture.ts'

describe('the reference backend, served', () => {
  conformance(() => startServedHarness())
})

describe('the reference backend, within one process', () => {
  conformance(makeInProcessHarness())
})
