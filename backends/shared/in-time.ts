/** Closing must end: a listener that never returns, or a store that never answers, does not keep a process alive. */
import type { PluginContext } from '../../spi/index.ts'

/** Resolves when the task has settled or the session timeout has passed; a failure or a delay is logged. */
export async function inTime(context: PluginContext, what: string, task: Promise<unknown>): Promise<void> {
  const { clock, sessionTimeoutMs, logger } = context
  const settled = task.then(
    () => undefined,
    (cause: unknown) => {
      logger.warn(`${what} went wrong: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    },
  )
  let timer: Disposable | undefined
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimeout(() => {
      logger.warn(`${what} is given up: it has not ended within ${sessionTimeoutMs} ms`)
      resolve()
    }, sessionTimeoutMs)
  })
  await Promise.race([settled, late])
  timer?.[Symbol.dispose]()
}
