/** A client on the fake store: its kernel, its services, and everything that its listeners were told. */
import { type LossReason, type Logger, type PluginContext, pluginContext, silentLogger } from '../../spi/index.ts'
import { FakeClientClock, FakeWorld } from './fake-clock.fixture.ts'
import { FakeDriver } from './fake-driver.fixture.ts'
import { FakeStore } from './fake-store.fixture.ts'
import { ElectionClient } from './election-client.ts'
import { GroupClient } from './group-client.ts'
import type { Kernel } from './kernel.ts'
import { makeKernelCore } from './make-kernel.ts'
import { SessionKeeper } from './session-keeper.ts'

export const T = 1_000

export interface FakeClient {
  readonly clock: FakeClientClock
  readonly driver: FakeDriver
  readonly kernel: Kernel
  readonly keeper: SessionKeeper
  readonly group: GroupClient
  readonly election: ElectionClient
  /** In their order. */
  readonly events: string[]
  readonly logged: string[]
  /** Lets time pass until it is closed. */
  close(): Promise<void>
  /** Lets no time pass by itself. */
  beginClosing(): Promise<void>
}

export function makeStore(): FakeStore {
  return new FakeStore(new FakeWorld())
}

/** Deterministic: the same sequence for the same seed. */
export function makeRandom(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

export async function makeClient(store: FakeStore, options: Partial<PluginContext> = {}): Promise<FakeClient> {
  const clock = new FakeClientClock(store.world)
  const driver = new FakeDriver(store, clock)
  const events: string[] = []
  const logged: string[] = []
  const log = (message: string) => logged.push(message)
  const logger: Logger = { ...silentLogger, warn: log, error: log }
  const context = pluginContext({ sessionTimeoutMs: T, clock, logger, random: makeRandom(), ...options })
  const closing = new AbortController()
  const core = makeKernelCore({ context, driver, closing: closing.signal })
  const sessions = new SessionKeeper(core)
  const kernel: Kernel = { ...core, sessions }
  await inTime(store, sessions.open())
  listenToSession(sessions, events)
  const group = new GroupClient(kernel, 'g')
  const election = new ElectionClient(kernel, 's')
  const lost = (what: string, token: bigint, reason: LossReason) => events.push(`${what} lost ${token} ${reason}`)
  await inTime(
    store,
    group.addListener({
      onGroupChange: (ids) => void events.push(`group ${[...ids].sort().join()}`),
      onMembershipLost: ({ id, epoch, signal }, reason) => void lost(`${id}${sign(signal)}`, epoch, reason),
      onRejoined: ({ id, epoch }) => void events.push(`${id} rejoined ${epoch}`),
    }),
  )
  await inTime(
    store,
    election.addListener({
      onLeaderChange: (leader) => void events.push(`leader ${leader}`),
      onElected: ({ candidate, token }) => void events.push(`${candidate} elected ${token}`),
      onLeadershipLost: ({ candidate, token, signal }, reason) =>
        void lost(`${candidate}${sign(signal)}`, token, reason),
    }),
  )
  const beginClosing = async () => {
    closing.abort()
    await Promise.all([group.close(), election.close()])
    await sessions.close()
  }
  const close = () => inTime(store, beginClosing(), 20 * T)
  return { clock, driver, kernel, keeper: sessions, group, election, events, logged, close, beginClosing }
}

/** Lets time pass until the promise has settled; fails if that takes longer than `withinMs`. */
export async function inTime<R>(store: FakeStore, promise: Promise<R>, withinMs = 10 * T): Promise<R> {
  const state = { isSettled: false }
  const done = () => {
    state.isSettled = true
  }
  promise.then(done, done)
  for (let ms = 0; ms <= withinMs; ms += 1) {
    await store.world.pass(ms === 0 ? 0 : 1)
    if (state.isSettled) return promise
  }
  throw new Error(`nothing within ${withinMs} ms`)
}

function listenToSession(keeper: SessionKeeper, events: string[]): void {
  keeper.current.addListener({
    onSuspended: () => void events.push('suspended'),
    onResumed: () => void events.push('resumed'),
    onLost: () => void events.push('lost'),
    onReestablished: () => void events.push('reestablished'),
  })
}

/** A loss is told after its signal. */
function sign(signal: AbortSignal): string {
  return signal.aborted ? '' : ' UNTOLD'
}
