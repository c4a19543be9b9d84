/** Mutants that break what the services promise: ownership, loss that is told in time, waiting, listeners. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CoordinationError,
  type GroupChangeListener,
  isCoordinationError,
  type KeySetChangeListener,
  type Leadership,
  type Membership,
  type ValueChangeListener,
} from '../../spi/index.ts'
import type { Call, Commit, CommitOutcome, Seat, SessionGrant } from '../shared/driver.ts'
import { ForwardingDriver } from './forwarding.fixture.ts'
import { type Mutant, mutantOfDriver, mutantOfServices, withChanges } from './mutant.fixture.ts'

/** The resigner stays a candidate. */
export const ResignerWinsAgain: Mutant = mutantOfServices({
  election: (inner) => ({
    async resign(leader, options) {
      const led = inner.leadership(leader) !== undefined
      await inner.resign(leader, options)
      if (led) await inner.nominate(leader)
    },
  }),
})

/** Others can win while the listeners are still stopping their duties. */
export const ResignsBeforeDutiesEnd: Mutant = mutantOfServices({
  election: (inner, driver) => ({
    async resign(leader, options) {
      const seat: Seat = { kind: 'leader', service: inner.service }
      const token = inner.leadership(leader)?.token
      if (token !== undefined) await driver.emptySeat(seat, token, anyTime())
      await inner.resign(leader, options)
    },
  }),
})

/** Whoever has the id is removed. */
export const LeavesByName: Mutant = mutantOfServices({
  group: (inner, driver) => ({
    async leave(id, options) {
      await inner.leave(id, options)
      const seat: Seat = { kind: 'member', group: inner.group, id }
      const seated = await driver.readSeat(seat, { ...anyTime(), consistency: 'linearizable' })
      if (seated !== undefined) await driver.emptySeat(seat, seated.token, anyTime())
    },
  }),
})

const NEVER = new Promise<never>(() => {
  // it is what it says
})

/** One timer renews all of a client: who leaves one group stops it. */
export const OneLeaveEndsRenewal: Mutant = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      #silent = false

      override async emptySeat(seat: Seat, token: bigint, call: Call): Promise<void> {
        await super.emptySeat(seat, token, call)
        this.#silent = true
      }

      override renewSession(id: string, call: Call): Promise<SessionGrant | undefined> {
        return this.#silent ? NEVER : super.renewSession(id, call)
      }
    })(inner),
)

/** The signal aborts some time after everybody has been told. */
export const SignalsTooLate: Mutant = mutantOfServices({
  group: (inner) => ({
    async join(id, data, options) {
      const membership = await inner.join(id, data, options)
      return withChanges<Membership>(membership, { signal: later(membership.signal) })
    },
  }),
  election: (inner) => {
    const late = new WeakMap<Leadership, Leadership>()
    const slow = (leadership: Leadership) => {
      const known = late.get(leadership) ?? withChanges<Leadership>(leadership, { signal: later(leadership.signal) })
      late.set(leadership, known)
      return known
    }
    return {
      leadership(candidate) {
        const leadership = inner.leadership(candidate)
        return leadership && slow(leadership)
      },
      awaitLeadership: async (candidate, options) => slow(await inner.awaitLeadership(candidate, options)),
      addListener: (listener, options) =>
        inner.addListener(
          withChanges(listener, {
            onElected: (leadership) => listener.onElected?.(slow(leadership)),
            onLeadershipLost: (leadership, reason) => listener.onLeadershipLost?.(slow(leadership), reason),
          }),
          options,
        ),
    }
  },
})

function later(signal: AbortSignal): AbortSignal {
  const late = new AbortController()
  signal.addEventListener(
    'abort',
    () => {
      setTimeout(() => late.abort(signal.reason), 300)
    },
    { once: true },
  )
  return late.signal
}

/** `held` waits for a timer to tell it that the deadline has passed. */
export const HeldByTimer: Mutant = mutantOfServices({
  election: (inner) => {
    const naive = (leadership: Leadership): Leadership =>
      withChanges<Leadership>(leadership, {
        get held() {
          return !leadership.signal.aborted
        },
        assertHeld: () => leadership.signal.throwIfAborted(),
      })
    const led = new Map<string, Leadership>()
    return {
      leadership(candidate) {
        const leadership = inner.leadership(candidate)
        if (leadership !== undefined) led.set(candidate, naive(leadership))
        const last = led.get(candidate)
        return last?.held === true ? last : undefined
      },
      awaitLeadership: async (candidate, options) => naive(await inner.awaitLeadership(candidate, options)),
    }
  },
})

/** An abort rejects the call, and nothing else. */
export const AbortedJoinGoesOn: Mutant = mutantOfServices({
  group: (inner) => ({
    async join(id, data, { signal, ...options } = {}) {
      const joining = inner.join(id, data, options)
      joining.catch(() => undefined)
      return unlessAborted(joining, signal)
    },
  }),
})

function unlessAborted<T>(task: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason as Error)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    task.then(resolve, reject)
  })
}

/** A lost reply is taken for a refusal. */
export const UnknownIsNone: Mutant = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
        try {
          return await super.commit(commit, call)
        } catch (error) {
          if (!isCoordinationError(error) || error.effect === 'none') throw error
          throw new CoordinationError('INTERNAL', error.message, { backend: error.backend, effect: 'none' })
        }
      }
    })(inner),
)

/** The fence is compared, and then the write is sent. */
export const FenceCheckedBefore: Mutant = mutantOfDriver(
  (inner) =>
    new (class extends ForwardingDriver {
      override async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
        const { fence } = commit
        if (fence === undefined) return super.commit(commit, call)
        const seat: Seat = { kind: 'leader', service: fence.service }
        const seated = await this.inner.readSeat(seat, { ...call, consistency: 'linearizable' })
        if (seated?.token !== fence.token) return { committed: false, found: new Map(), token: seated?.token }
        await sleep(200)
        const outcome = await super.commit({ ...commit, fence: undefined }, call)
        return outcome.committed ? outcome : { ...outcome, token: fence.token }
      }
    })(inner),
)

/** A version that is asked for is not compared. */
export const DeleteIgnoresVersion: Mutant = mutantOfServices({
  storage: (inner) => ({
    delete: (key, { ifVersion: _ignored, ...options } = {}) => inner.delete(key, options),
  }),
})

/** The next call does not wait for the last one. */
export const ListenersOverlap: Mutant = listenersOfValues((listener) => ({
  valueChanged(value, entry) {
    Promise.resolve(listener.valueChanged(value, entry)).catch(() => undefined)
  },
}))

/** What one listener throws ends its notifications. */
export const ThrowingEndsListening: Mutant = listenersOfValues((listener) => {
  let failed = false
  return {
    async valueChanged(value, entry) {
      if (failed) return
      try {
        await listener.valueChanged(value, entry)
      } catch (error) {
        failed = true
        throw error
      }
    },
  }
})

/** Every state is told twice. */
export const StatesRepeated: Mutant = listenersOfValues((listener) => ({
  async valueChanged(value, entry) {
    await listener.valueChanged(value, entry)
    await listener.valueChanged(value, entry)
  },
}))

/** Changes that come fast are counted, and every second one is left out – also if it is the last. */
export const LastStateSkipped: Mutant = listenersOfValues((listener) => {
  let calls = 0
  return {
    valueChanged(value, entry) {
      if (++calls % 2 === 1) return listener.valueChanged(value, entry)
      return undefined
    },
  }
})

/** Removing takes effect some time later. */
export const CalledAfterRemove: Mutant = mutantOfServices({
  registry: (inner) => ({
    async removeValueChangeListener(key, listener) {
      setTimeout(() => {
        inner.removeValueChangeListener(key, listener).catch(() => undefined)
      }, 500)
    },
  }),
})

function listenersOfValues(change: (listener: ValueChangeListener) => ValueChangeListener): Mutant {
  return mutantOfServices({
    registry: (inner) => {
      const changed = new WeakMap<ValueChangeListener, ValueChangeListener>()
      const of = (listener: ValueChangeListener) => {
        const known = changed.get(listener) ?? change(listener)
        changed.set(listener, known)
        return known
      }
      return {
        addValueChangeListener: (key, listener, options) => inner.addValueChangeListener(key, of(listener), options),
        removeValueChangeListener: (key, listener) => inner.removeValueChangeListener(key, of(listener)),
      }
    },
  })
}

/** A key set listener is told of every change of a value. */
export const KeySetOnEveryChange: Mutant = mutantOfServices({
  registry: (inner, driver) => ({
    async addKeySetChangeListener(namespace, listener: KeySetChangeListener, options) {
      let last: ReadonlySet<string> = new Set()
      const remember: KeySetChangeListener = {
        keySetChanged: (names) => {
          last = names
          return listener.keySetChanged(names)
        },
      }
      await inner.addKeySetChangeListener(namespace, remember, options)
      const tell = () => {
        Promise.resolve(listener.keySetChanged(last)).catch(() => undefined)
      }
      await driver.followNamespace(namespace, { reset: () => undefined, changed: tell, failed: () => undefined }).active
    },
  }),
})

/** Who observes a group is told only of those who come. */
export const LeavingIsNotTold: Mutant = mutantOfServices({
  group: (inner) => ({
    addListener(listener: GroupChangeListener, options) {
      let known = 0
      const joinsOnly = withChanges<GroupChangeListener>(listener, {
        onGroupChange(members) {
          const fewer = members.size < known
          known = members.size
          return fewer ? undefined : listener.onGroupChange(members)
        },
      })
      return inner.addListener(joinsOnly, options)
    },
  }),
})

function anyTime(): Call {
  return { signal: new AbortController().signal, timeoutMs: 5_000 }
}
