/**
 * KIP-30's listener registry, "A registry for async data change notifications", and the rules for all listeners of the
 * SPI.
 *
 * A listener …
 * - is permanent: it survives reconnects, lost sessions and restarts of servers;
 * - is active when `add…` resolves: every later commit is reflected in a later call;
 * - sees states, not events: some may be skipped, none comes out of order or twice in a row, and the last one always
 *   arrives. (KIP-30: "There is no guarantee listener will be fired on ALL events"; it gives no guarantee at all.)
 * - is called serially: the next call waits for the promise that the last one returned, and then has the newest state;
 * - may throw or reject: that is logged and changes nothing, for itself or for others;
 * - may add and remove listeners and call the SPI, and wait for it;
 * - counts once however often the same object is added to the same thing;
 * - never runs again once `remove…` or `close` has resolved. Removing an unknown one does nothing.
 */
import type { Lifecycle } from './lifecycle.ts'
import type { ListenOptions } from './options.ts'
import type { Entry } from './values.ts'

export interface ListenerRegistry extends Lifecycle {
  /** The key need not exist. */
  addValueChangeListener(key: string, eventListener: ValueChangeListener, options?: ListenOptions): Promise<void>
  removeValueChangeListener(key: string, eventListener: ValueChangeListener): Promise<void>

  /**
   * KIP-30: "the listenable key-set identifier (e.g. parent path in Zookeeper, table name in Database etc)": here a
   * namespace, whose key set is what `Storage.list` lists. Changed values do not change it.
   */
  addKeySetChangeListener(
    namespace: string,
    eventListener: KeySetChangeListener,
    options?: ListenOptions,
  ): Promise<void>
  removeKeySetChangeListener(namespace: string, eventListener: KeySetChangeListener): Promise<void>
}

export interface ValueChangeListener {
  /**
   * @param newValue the new value as text; undefined if the key is gone – or holds bytes that are not UTF-8, which
   * only `entry` tells apart.
   * @param entry undefined iff the key is gone. Deleting and re-creating with equal bytes between two looks may stay
   * unseen; when it is seen, `entry.version` differs.
   */
  valueChanged(newValue: string | undefined, entry: Entry | undefined): void | Promise<void>
}

export interface KeySetChangeListener {
  keySetChanged(newKeySet: ReadonlySet<string>): void | Promise<void>
}
