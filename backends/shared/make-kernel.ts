/** Puts a kernel together from a context and a driver. */
import type { PluginContext } from '../../spi/index.ts'
import { makeCalls } from './calls.ts'
import type { StoreDriver } from './driver.ts'
import type { Kernel, Sessions } from './kernel.ts'

export interface KernelParts {
  readonly context: PluginContext
  readonly driver: StoreDriver
  readonly closing: AbortSignal
  /** Is given all but itself: `(core) => new SessionKeeper(core)`. */
  readonly sessions: (core: KernelCore) => Sessions
}

/** A kernel before it has a session. */
export type KernelCore = Omit<Kernel, 'sessions'>

export function makeKernel({ context, driver, closing, sessions }: KernelParts): Kernel {
  const { capabilities } = driver
  const core: KernelCore = {
    context,
    capabilities,
    driver,
    closing,
    calls: makeCalls({ context, capabilities, closing }),
    farewells: makeCalls({ context, capabilities, closing: new AbortController().signal }),
    inBackground(what, task) {
      task.catch((cause: unknown) => {
        if (closing.aborted) return
        context.logger.error(`${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      })
    },
  }
  return { ...core, sessions: sessions(core) }
}
