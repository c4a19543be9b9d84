/** How a mutant is made: the reference backend with one thing changed in its driver, its store or its services. */
import type {
  GroupMembershipClient,
  LeaderElectionClient,
  ListenerRegistry,
  PluginContext,
  PluginLocatorClass,
  Storage,
} from '../../spi/index.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import type { StoreAccess } from './access.ts'
import { MemoryPluginLocator } from './index.ts'
import { MemoryDriver } from './memory-driver.ts'
import { reachStore } from './reach-store.ts'

/** A locator class; of its own for each mutant. */
export type Mutant = PluginLocatorClass

export function mutantOfDriver(change: (driver: StoreDriver, context: PluginContext) => StoreDriver): Mutant {
  return class extends MemoryPluginLocator {
    protected override async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
      return change(await super.connect(context, call), context)
    }
  }
}

export function mutantOfStore(change: (access: StoreAccess) => StoreAccess): Mutant {
  return class extends MemoryPluginLocator {
    protected override async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
      return new MemoryDriver(change(await reachStore(context, call)), context)
    }
  }
}

export interface Changes {
  readonly storage?: (inner: Storage, driver: StoreDriver) => Partial<Storage>
  readonly registry?: (inner: ListenerRegistry, driver: StoreDriver) => Partial<ListenerRegistry>
  readonly group?: (inner: GroupMembershipClient, driver: StoreDriver) => Partial<GroupMembershipClient>
  readonly election?: (inner: LeaderElectionClient, driver: StoreDriver) => Partial<LeaderElectionClient>
}

export function mutantOfServices(changes: Changes): Mutant {
  return class extends MemoryPluginLocator {
    readonly #changed = new WeakMap<object, object>()
    #driver: StoreDriver | undefined

    protected override async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
      this.#driver = await super.connect(context, call)
      return this.#driver
    }

    override getStorage(): Storage {
      return this.#change(super.getStorage(), changes.storage)
    }

    override getListenerRegistry(): ListenerRegistry {
      return this.#change(super.getListenerRegistry(), changes.registry)
    }

    override getGroupMembership(group: string): GroupMembershipClient {
      return this.#change(super.getGroupMembership(group), changes.group)
    }

    override getLeaderElection(service: string): LeaderElectionClient {
      return this.#change(super.getLeaderElection(service), changes.election)
    }

    /** The same for the same: a service that is asked for twice is one. */
    #change<T extends object>(inner: T, change: ((inner: T, driver: StoreDriver) => Partial<T>) | undefined): T {
      if (change === undefined || this.#driver === undefined) return inner
      const known = this.#changed.get(inner) ?? withChanges(inner, change(inner, this.#driver))
      this.#changed.set(inner, known)
      return known as T
    }
  }
}

/** `inner` with some of its members replaced. */
export function withChanges<T extends object>(inner: T, changes: Partial<T>): T {
  // the target is empty: a proxy must not show a frozen object's members as others than they are
  return new Proxy({} as T, {
    get(_target, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name) as unknown
      const value: unknown = Reflect.get(inner, name, inner)
      // private fields are the inner's own
      return typeof value === 'function' ? (value as (...args: never[]) => unknown).bind(inner) : value
    },
  })
}
