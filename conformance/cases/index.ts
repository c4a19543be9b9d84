/** The catalogue: every case of the suite, in the order of its report. */
import type { ConformanceCase } from '../kit/case.ts'

export const catalogue: readonly ConformanceCase[] = []
