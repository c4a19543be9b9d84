/** What the four services have in common: they come out initialised, and close on their own or with their locator. */
import { type Capabilities, CoordinationError, type Lifecycle } from '../../spi/index.ts'
import { closedError, makeCalls } from './calls.ts'
import { inTime } from './in-time.ts'
import type { Kernel } from './kernel.ts'
import { onAbort } from './on-abort.ts'

/** Closing one closes nothing else. */
export abstract class Service implements Lifecycle {
  /** The locator's, but with this service's own `closing`, which also ends its calls. */
  protected readonly kernel: Kernel
  readonly #withLocator: Disposable
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(kernel: Kernel) {
    const closing = this.#closing.signal
    this.kernel = { ...kernel, closing, calls: makeCalls({ ...kernel, closing }) }
    this.#withLocator = onAbort(kernel.closing, () => this.#abort())
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
    this.#withLocator[Symbol.dispose]()
    this.#closed ??= inTime(this.kernel.context, 'closing', this.release())
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

  #abort(): void {
    if (!this.#closing.signal.aborted) this.#closing.abort(closedError(this.capabilities.backend))
  }
}
