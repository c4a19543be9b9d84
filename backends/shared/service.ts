/** What the four services have in common: they come out initialised, and close on their own or with their locator. */
import { type Capabilities, CoordinationError, type Lifecycle } from '../../spi/index.ts'
import { closedError, makeCalls } from './calls.ts'
import type { Kernel } from './kernel.ts'

/** Closing one closes nothing else. */
export abstract class Service implements Lifecycle {
  /** The locator's, but with this service's own `closing`, which also ends its calls. */
  protected readonly kernel: Kernel
  readonly #locatorClosing: AbortSignal
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(kernel: Kernel) {
    const closing = this.#closing.signal
    this.kernel = { ...kernel, closing, calls: makeCalls({ ...kernel, closing }) }
    this.#locatorClosing = kernel.closing
    if (kernel.closing.aborted) this.#abort()
    else kernel.closing.addEventListener('abort', this.#abort, { once: true })
  }

  get capabilities(): Capabilities {
    return this.kernel.capabilities
  }

  get closing(): AbortSignal {
    return this.#closing.signal
  }

  async init(): Promise<void> {
    this.assertOpen()
    const { backend } = this.capabilities
    throw new CoordinationError('INVALID_ARGUMENT', 'a service that a locator gave out is initialised', { backend })
  }

  close(): Promise<void> {
    this.#abort()
    this.#locatorClosing.removeEventListener('abort', this.#abort)
    this.#closed ??= this.#releaseInTime()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Tells listeners, gives leases back and removes listeners; once, after `closing` has aborted. What it asks of the
   * store goes through `kernel.farewells`.
   */
  protected abstract release(): Promise<void>

  /** @throws CoordinationError CLOSED */
  protected assertOpen(): void {
    if (this.closing.aborted) throw closedError(this.capabilities.backend, { effect: 'none' })
  }

  readonly #abort = (): void => {
    if (!this.#closing.signal.aborted) this.#closing.abort(closedError(this.capabilities.backend))
  }

  /** A listener that never ends, or a store that never answers, must not keep a process alive. */
  async #releaseInTime(): Promise<void> {
    const { clock, sessionTimeoutMs, logger } = this.kernel.context
    const released = this.release().catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause)
      logger.warn(`closing went wrong: ${why}`, { cause })
    })
    let timer: Disposable | undefined
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimeout(() => {
        logger.warn(`closing goes on without a listener or a reply that did not come within ${sessionTimeoutMs} ms`)
        resolve()
      }, sessionTimeoutMs)
    })
    await Promise.race([released, late])
    timer?.[Symbol.dispose]()
  }
}
