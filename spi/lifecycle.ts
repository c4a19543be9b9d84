/** What the four services share: `init(context)` and `close()` of KIP-30. */
import type { Capabilities } from './capabilities.ts'
import type { OpOptions } from './options.ts'
import type { PluginContext } from './plugin-context.ts'

/** `await using` closes. */
export interface Lifecycle extends AsyncDisposable {
  /** Known before `init` as far as the configuration decides them; constant after it. */
  readonly capabilities: Capabilities

  /**
   * Connects, and verifies that schema and permissions are there. Once; services that a PluginLocator gives out have
   * it behind them. A failed `init` may be tried again.
   * @throws CoordinationError INVALID_ARGUMENT on a second one; CONNECTION, TIMEOUT, AUTHENTICATION, AUTHORIZATION.
   * Every other call before it: NOT_INITIALIZED.
   */
  init(context: PluginContext, options?: OpOptions): Promise<void>

  /**
   * Releases everything. May be called at any time and any number of times; never rejects; bounded in time.
   * In this order: `closing` aborts and no new call is taken → pending calls reject CLOSED → listeners of this
   * client's own leaderships and memberships are told (`closed`) and awaited → leases are released, so that others
   * need not wait for their end → connections are shut. When it resolves no listener will run again.
   */
  close(): Promise<void>

  /** Aborts, with a CoordinationError CLOSED as reason, as the first thing that `close` does. */
  readonly closing: AbortSignal
}
