/** Puts together what services share. */
import type { PluginContext } from '../../spi/index.ts'
import { makeCalls } from './calls.ts'
import type { StoreDriver } from './driver.ts'
import type { Kernel } from './kernel.ts'

/** A kernel before it has a session. */
export type KernelCore = Omit<Kernel, 'sessions'>

export interface KernelParts {
  readonly context: PluginContext
  readonly driver: StoreDriver
  readonly closing: AbortSignal
}

export function makeKernelCore({ context, driver, closing }: KernelParts): KernelCore {
  const { capabilities } = driver
  return {
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
}
