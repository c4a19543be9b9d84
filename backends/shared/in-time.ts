/** Closing must end: a listener that never returns, or a store that never answers, does not keep a process alive. */
import type { PluginContext } from '../../spi/index.ts'

/** Resolves when the task has settled or `limitMs` have passed; a failure or a delay is logged. */
export async function inTime(
  { clock, sessionTimeoutMs, logger }: Pick<PluginContext, 'clock' | 'sessionTimeoutMs' | 'logger'>,
  what: string,
  task: Promise<unknown>,
  limitMs = sessionTimeoutMs,
): Promise<void> {
  const settled = task.then(
    () => undefined,
    (cause: unknown) => {
      logger.warn(`${what} went wrong: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    },
  )
  let timer: Disposable | undefined
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimeout(() => {
      logger.warn(`${what} is given up: it has not ended within ${limitMs} ms`)
      resolve()
    }, limitMs)
  })
  await Promise.race([settled, late])
  timer?.[Symbol.dispose]()
}
