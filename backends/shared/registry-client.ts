/** The listener registry on the driver: one follow for each key and each namespace that anybody listens to. */
import {
  checkKey,
  checkNamespace,
  CoordinationError,
  type Entry,
  isCoordinationError,
  type KeySetChangeListener,
  type ListenerRegistry,
  type ListenOptions,
  toText,
  type ValueChangeListener,
} from '../../spi/index.ts'
import { KeySet } from './key-set.ts'
import type { Kernel } from './kernel.ts'
import { Observed, type Subject } from './observed.ts'
import { readKeys } from './scan-pages.ts'
import { Service } from './service.ts'

type ObservedKey = Observed<ValueChangeListener, Entry | undefined, Entry | undefined>
type Names = ReadonlySet<string>
type ObservedNamespace = Observed<KeySetChangeListener, Names, ReadonlyMap<string, Entry>>

/**
 * A listener is called serially for each key and each namespace that it was added to; for two of them it may be called
 * at the same time.
 */
export class RegistryClient extends Service implements ListenerRegistry {
  readonly #keys = new Map<string, ObservedKey>()
  readonly #namespaces = new Map<string, ObservedNamespace>()

  async addValueChangeListener(
    key: string,
    eventListener: ValueChangeListener,
    options?: ListenOptions,
  ): Promise<void> {
    this.assertOpen()
    checkKey(key, this.capabilities)
    this.#checkListener(eventListener, 'valueChanged')
    options?.signal?.throwIfAborted()
    const observed = getOrMake(this.#keys, key, (onEmpty) => {
      return new Observed(this.kernel, valueSubject(this.kernel, key), onEmpty)
    })
    await observed.add(eventListener, options?.initial === true, options)
  }

  async removeValueChangeListener(key: string, eventListener: ValueChangeListener): Promise<void> {
    this.assertOpen()
    checkKey(key, this.capabilities)
    await this.#keys.get(key)?.remove(eventListener)
  }

  async addKeySetChangeListener(
    namespace: string,
    eventListener: KeySetChangeListener,
    options?: ListenOptions,
  ): Promise<void> {
    this.assertOpen()
    checkNamespace(namespace, this.capabilities)
    this.#checkListener(eventListener, 'keySetChanged')
    options?.signal?.throwIfAborted()
    const observed = getOrMake(this.#namespaces, namespace, (onEmpty) => {
      return new Observed(this.kernel, keySetSubject(this.kernel, namespace), onEmpty)
    })
    await observed.add(eventListener, options?.initial === true, options)
  }

  async removeKeySetChangeListener(namespace: string, eventListener: KeySetChangeListener): Promise<void> {
    this.assertOpen()
    checkNamespace(namespace, this.capabilities)
    await this.#namespaces.get(namespace)?.remove(eventListener)
  }

  protected override async release(): Promise<void> {
    const all = [...this.#keys.values(), ...this.#namespaces.values()]
    await Promise.all(all.map((observed) => observed.close()))
  }

  /** For plain JavaScript callers: what would fail at the first change fails here. */
  #checkListener(listener: object, method: string): void {
    if (typeof (listener as Readonly<Record<string, unknown>>)[method] === 'function') return
    const { backend } = this.capabilities
    throw new CoordinationError('INVALID_ARGUMENT', `the listener has no method ${method}`, { backend })
  }
}

/** One that is left by its last listener is made anew by the next. */
function getOrMake<T>(all: Map<string, T>, name: string, make: (onEmpty: () => void) => T): T {
  const present = all.get(name)
  if (present !== undefined) return present
  const made = make(() => {
    if (all.get(name) === made) all.delete(name)
  })
  all.set(name, made)
  return made
}

function valueSubject(kernel: Kernel, key: string): Subject<ValueChangeListener, Entry | undefined, Entry | undefined> {
  let current: Entry | undefined
  return {
    about: { what: 'value listener', key },
    follow: (onChange, failed) =>
      kernel.driver.followKey(key, {
        reset(all) {
          current = all.get(key)
          onChange()
        },
        changed(changes) {
          if (!changes.has(key)) return
          current = changes.get(key)
          onChange()
        },
        failed,
      }),
    current: () => current,
    read: () =>
      kernel.calls.read({ what: 'value listener', key }, { timeoutMs: Infinity }, (call) =>
        kernel.driver.read(key, call),
      ),
    shown: (entry) => entry,
    // a version is one commit; that a key is absent it may have been before and after any of them
    agrees: (entry) => entry !== undefined && entry.version === current?.version,
    same: (a, b) => a?.version === b?.version,
    deliver: (listener, entry) => listener.valueChanged(entry && textOf(entry), entry),
  }
}

function keySetSubject(
  kernel: Kernel,
  namespace: string,
): Subject<KeySetChangeListener, Names, ReadonlyMap<string, Entry>> {
  const keySet = new KeySet(namespace)
  return {
    about: { what: 'key set listener', key: namespace },
    follow: (onChange, failed) =>
      kernel.driver.followNamespace(namespace, {
        reset(all) {
          keySet.reset(all)
          onChange()
        },
        changed(changes) {
          keySet.apply(changes)
          onChange()
        },
        failed,
      }),
    current: () => keySet.names,
    read: () => readKeys(kernel, namespace),
    shown(all) {
      const read = new KeySet(namespace)
      read.reset(all)
      return read.names
    },
    agrees: (all) =>
      all.size === keySet.versions.size && [...all].every(([key, { version }]) => keySet.versions.get(key) === version),
    same: (a, b) => a === b || (a.size === b.size && [...a].every((name) => b.has(name))),
    deliver: (listener, names) => listener.keySetChanged(names),
  }
}

function textOf(entry: Entry): string | undefined {
  try {
    return toText(entry.bytes)
  } catch (error) {
    if (isCoordinationError(error, 'INVALID_DATA')) return undefined
    throw error
  }
}
