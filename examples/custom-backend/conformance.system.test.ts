import { conformance } from 'keta/conformance'
import { startHarness } from './harness.ts'

conformance(startHarness)
