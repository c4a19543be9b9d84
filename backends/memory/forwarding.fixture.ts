/** A driver and an access that pass everything on: what a mutant changes one thing of. */
import type { Call, StoreDriver } from '../shared/driver.ts'
import { DriverOfParts } from '../shared/driver-of-parts.ts'
import type { StoreAccess } from './access.ts'
import type { Args, Operation, Result } from './operations.ts'
import type { Told, WatchQuery } from './store-host.ts'

export class ForwardingDriver extends DriverOfParts {
  protected readonly inner: StoreDriver

  constructor(inner: StoreDriver) {
    const { capabilities } = inner
    const all = { sessions: inner, seats: inner, values: inner, commits: inner, changes: inner }
    super({ ...all, capabilities, close: () => inner.close() })
    this.inner = inner
  }
}

export class ForwardingAccess implements StoreAccess {
  protected readonly inner: StoreAccess

  constructor(inner: StoreAccess) {
    this.inner = inner
  }

  get persistent(): boolean {
    return this.inner.persistent
  }

  get multiProcess(): boolean {
    return this.inner.multiProcess
  }

  ask<O extends Operation>(operation: O, args: Args<O>, call: Call): Promise<Result<O>> {
    return this.inner.ask(operation, args, call)
  }

  watch(query: WatchQuery, from: number, told: Told, signal: AbortSignal): Promise<never> {
    return this.inner.watch(query, from, told, signal)
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}
