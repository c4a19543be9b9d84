/** Mutants that break the life of a client and what its calls say: starting, closing, aborts, errors, addresses. */
import {
  CoordinationError,
  isCoordinationError,
  type LeaderChangeListener,
  type ListenerRegistry,
  type OpOptions,
  type PluginContext,
  type PluginHost,
  type Session,
  type SessionListener,
  type Version,
} from '../../spi/index.ts'
import type { Call, ReadCall, StoreDriver } from '../shared/driver.ts'
import { ForwardingDriver } from './forwarding.fixture.ts'
import { MemoryPluginLocator } from './index.ts'
import { type Mutant, mutantOfDriver, mutantOfServices, withChanges } from './mutant.fixture.ts'

const ANY_ERROR = (): undefined => undefined

/** For whoever looks into its log. */
export const TellsItsPassword: Mutant = class extends MemoryPluginLocator {
  override async startup(configFile: string, host: PluginHost = {}, options?: OpOptions): Promise<void> {
    host.logger?.debug('starting', { configFile, config: host.config })
    await super.startup(configFile, host, options)
  }
}

/** One who starts it again is told that all is well. */
export const StartsTwice: Mutant = class extends MemoryPluginLocator {
  override async startup(configFile: string, host?: PluginHost, options?: OpOptions): Promise<void> {
    try {
      await super.startup(configFile, host, options)
    } catch (error) {
      if (!isCoordinationError(error, 'INVALID_ARGUMENT')) throw error
    }
  }
}

export const TriesCredentialsAgain: Mutant = class extends MemoryPluginLocator {
  protected override async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    for (let left = 50; left > 0; left--) await super.connect(context, call).then((driver) => driver.close(), ANY_ERROR)
    return super.connect(context, call)
  }
}

/** It gives up a start for good, instead of saying that nobody was there. */
export const StartIsInternal: Mutant = class extends MemoryPluginLocator {
  override async startup(configFile: string, host?: PluginHost, options?: OpOptions): Promise<void> {
    try {
      await super.startup(configFile, host, options)
    } catch (cause) {
      throw new CoordinationError('INTERNAL', 'it could not be started', { cause })
    }
  }
}

export const FirstAddressOnly: Mutant = class extends MemoryPluginLocator {
  protected override connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const [first = ''] = (context.config['plugin.memory.endpoints'] ?? '').split(',')
    return super.connect({ ...context, config: { ...context.config, 'plugin.memory.endpoints': first } }, call)
  }
}

const dead = new Set<string>()

/** Where nobody was once nobody is looked for again. */
export const RemembersTheDead: Mutant = class extends MemoryPluginLocator {
  protected override async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const endpoints = context.config['plugin.memory.endpoints'] ?? ''
    if (dead.has(endpoints)) throw new CoordinationError('CONNECTION', `${endpoints} is dead`, { effect: 'none' })
    try {
      return await super.connect(context, call)
    } catch (error) {
      dead.add(endpoints)
      throw error
    }
  }
}

/** Names are made fit for keys, and some then are one. */
export const ClustersMeet: Mutant = class extends MemoryPluginLocator {
  protected override connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    return super.connect({ ...context, clusterId: context.clusterId.toLowerCase() }, call)
  }
}

export const SecondShutdownRejects: Mutant = class extends MemoryPluginLocator {
  #wasShut = false

  override async shutdown(): Promise<void> {
    const again = this.#wasShut
    this.#wasShut = true
    await super.shutdown()
    if (again) throw new CoordinationError('CLOSED', 'it is closed')
  }
}

/** Longer than a case looks, but this process too must end one day. Milliseconds. */
const LEFT_TIMER_MS = 30_000

/** Each of them starts a timer, and none stops it. */
export const LeavesTimers: Mutant = class extends MemoryPluginLocator {
  override async startup(configFile: string, host?: PluginHost, options?: OpOptions): Promise<void> {
    setTimeout(ANY_ERROR, LEFT_TIMER_MS)
    await super.startup(configFile, host, options)
  }
}

const kept: object[] = []

/** All clients there ever were, with what each of them knows. */
export const KeepsClients: Mutant = class extends MemoryPluginLocator {
  override async startup(configFile: string, host?: PluginHost, options?: OpOptions): Promise<void> {
    kept.push(
      this,
      Array.from({ length: 30_000 }, (_, at) => ({ at })),
    )
    await super.startup(configFile, host, options)
  }
}

export const LossToldTwice: Mutant = class extends MemoryPluginLocator {
  override get session(): Session {
    const inner = super.session
    const addListener = (listener: SessionListener) => {
      inner.addListener({
        onLost() {
          listener.onLost?.()
          listener.onLost?.()
        },
        onReestablished: (session) => listener.onReestablished?.(session),
      })
    }
    return withChanges(inner, { addListener })
  }
}

export const AnotherInstanceEachTime: Mutant = class extends MemoryPluginLocator {
  override getListenerRegistry(): ListenerRegistry {
    return withChanges(super.getListenerRegistry(), {})
  }
}

export const PromisesTooMuch: Mutant = mutantOfServices({
  storage: ({ capabilities }) => ({
    capabilities: { ...capabilities, limits: { ...capabilities.limits, maxValueBytes: 2 ** 40 } },
  }),
})

/** Who waits to lead is not told that there is nothing to wait for. */
export const WaitsForEver: Mutant = mutantOfServices({
  election: (inner) => ({
    awaitLeadership: (candidate, options) =>
      new Promise((resolve) => {
        inner.awaitLeadership(candidate, options).then(resolve, ANY_ERROR)
      }),
  }),
})

/** A last look, after everything. */
export const CallsAfterClose: Mutant = mutantOfServices({
  registry: (inner) => ({
    async addValueChangeListener(key, listener, options) {
      await inner.addValueChangeListener(key, listener, options)
      const call = async () => listener.valueChanged(undefined, undefined)
      const later = () => setTimeout(() => void call().catch(ANY_ERROR), 50)
      inner.closing.addEventListener('abort', later, { once: true })
    },
  }),
})

/** It lets go although the duties of the leader still run. */
export const ClosesBeforeDutiesEnd: Mutant = mutantOfServices({
  election: (inner) => ({
    addListener(listener, options) {
      const hasty: LeaderChangeListener = withChanges(listener, {
        onLeadershipLost(leadership, reason) {
          Promise.resolve(listener.onLeadershipLost?.(leadership, reason)).catch(ANY_ERROR)
        },
      })
      return inner.addListener(hasty, options)
    },
  }),
})

export const RefusalsAreUnsure: Mutant = mutantOfServices({
  storage: (inner) => ({
    put: (key, data, options) =>
      inner.put(key, data, options).catch((error: unknown) => {
        if (!isCoordinationError(error, 'KEY_EXISTS')) throw error
        throw new CoordinationError(error.code, error.message, { backend: error.backend, effect: 'unknown' })
      }),
  }),
})

/** The signal is looked at when the reply has come. */
export const AbortsAfterTheReply: Mutant = mutantOfServices({
  storage: (inner) => ({
    async put(key, data, { signal, ...options } = {}) {
      const version = await inner.put(key, data, options)
      signal?.throwIfAborted()
      return version
    },
  }),
})

/** Who no longer waits is no longer a candidate. */
export const AbortedWaitWithdraws: Mutant = mutantOfServices({
  election: (inner) => ({
    async awaitLeadership(candidate, options) {
      try {
        return await inner.awaitLeadership(candidate, options)
      } catch (error) {
        if (options?.signal?.aborted === true) await inner.withdraw(candidate)
        throw error
      }
    },
  }),
})

export const TakesTwiceTheTime: Mutant = mutantOfServices({
  storage: (inner) => ({
    fetch: (key, { timeoutMs, ...options } = {}) =>
      inner.fetch(key, { ...options, ...(timeoutMs !== undefined && { timeoutMs: 2 * timeoutMs }) }),
  }),
})

/** The store is to say what is wrong with a name. */
export const AsksBeforeChecking: Mutant = mutantOfServices({
  storage: (inner) => ({
    async delete(key, options) {
      await inner.fetchEntry('/any')
      return inner.delete(key, options)
    },
  }),
})

/** Nobody answers, so there is nothing. */
export const SilenceIsAbsence: Mutant = mutantOfServices({
  storage: (inner) => ({
    async fetch(key, options) {
      try {
        return await inner.fetch(key, options)
      } catch (error) {
        if (isCoordinationError(error, 'TIMEOUT') || isCoordinationError(error, 'CONNECTION')) return undefined
        throw error
      }
    },
  }),
})

/** What may have been written has been. */
export const HopesForTheBest: Mutant = mutantOfServices({
  storage: (inner) => ({
    async put(key, data, options) {
      try {
        return await inner.put(key, data, options)
      } catch (error) {
        if (isCoordinationError(error) && error.effect === 'unknown') return 'hopefully' as Version
        throw error
      }
    },
  }),
})

/** Somebody is told of a failed read, and nobody listens. */
export const ForgetsRejections: Mutant = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async read(key: string, call: ReadCall): ReturnType<StoreDriver['read']> {
        const reading = super.read(key, call)
        Reflect.apply(ANY_ERROR, undefined, [reading.then(ANY_ERROR)])
        return reading
      }
    })(inner),
)
