/**
 * Work that nobody waits for: what it rejects with is a defect, and is logged as one instead of ending the process
 * unexplained.
 */
import type { EngineLogger } from './ports.ts'

export function inBackground(task: Promise<unknown>, what: string, logger: EngineLogger): void {
  task.catch((error: unknown) => {
    logger.error(`defect in the background: ${what}`, { error })
  })
}
