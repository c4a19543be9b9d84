/** Part E of the catalogue: errors, aborts and lost replies. */
import type { ConformanceCase } from '../kit/case.ts'
import { errorsAborts } from './errors-aborts.ts'
import { errorsCodes } from './errors-codes.ts'
import { errorsLostReplies } from './errors-lost-replies.ts'

export const errorCases: readonly ConformanceCase[] = [...errorsCodes, ...errorsAborts, ...errorsLostReplies]
