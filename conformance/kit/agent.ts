/**
 * A client in a process of its own: the program that the suite forks. It loads its plugin from a real
 * server.properties, does what it is asked, and tells every callback. It ends itself when its parent is gone.
 */
import {
  type Data,
  type Fence,
  isCoordinationError,
  type Leadership,
  type PluginLocator,
  type Storage,
} from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'
import { routines } from '../cases/routines.ts'
import { eventLogger, groupListener, leaderListener, teller, watchMembership, watchSession } from './agent-listeners.ts'
import {
  type Message,
  type Order,
  packError,
  packValue,
  type Request,
  type Start,
  type Target,
} from './agent-protocol.ts'
import type { AgentWorld } from './agent-world.ts'
import { STARTUP_MS } from './local-party.ts'
import { machineNow } from './machine-time.ts'
import type { RemoteEvent } from './party.ts'

/** What a started agent consists of. */
interface Running {
  readonly locator: PluginLocator
  readonly start: Start
  readonly world: AgentWorld
  /** One listener per group and service, so that adding it twice counts once. */
  readonly listeners: Map<string, object>
  /** The latest handle of each candidate, also one that is over. */
  readonly handles: Map<string, Leadership>
}

/** Of the time that its end may take, what passes before an agent says what keeps it. */
const PATIENCE = 0.5

const events: RemoteEvent[] = []
let running: Running | undefined
let isEnding = false

const tell = teller((event) => {
  events.push(event)
  send({ is: 'event', event })
})

process.on('message', (request: Request) => {
  answer(request).catch((error: unknown) => {
    tell({ type: 'unhandled', error: String(error) })
  })
})
process.on('disconnect', () => {
  // in order, the process ends by itself; without its suite, nobody is left to end it
  if (!isEnding) process.exit(1)
})
for (const kind of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(kind, (error: unknown) => {
    tell({
      type: 'unhandled',
      error: `${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    })
  })
}

async function answer({ id, order }: Request): Promise<void> {
  try {
    const value = packValue(await obey(order))
    send({ is: 'reply', id, value })
  } catch (error) {
    send({ is: 'failure', id, error: packError(error) })
  }
  if (order.is === 'end' && process.connected) process.disconnect()
}

function send(message: Message): void {
  // the answer to a suite that has gone away
  if (process.connected) process.send?.(message)
}

async function obey(order: Order): Promise<unknown> {
  if (order.is === 'start') return start(order)
  if (order.is === 'busy') {
    busy(order.ms)
    return undefined
  }
  if (order.is === 'end') {
    isEnding = true
    return end(running?.locator, order.withinMs)
  }
  if (running === undefined) throw new Error('the agent has no plugin yet')
  if (order.is === 'call') return call(running, order.target, order.method, order.args)
  const routine = Object.hasOwn(routines, order.routine) ? routines[order.routine] : undefined
  if (routine === undefined) throw new Error(`there is no routine ${order.routine} in cases/routines.ts`)
  return routine(running.world, order.args as never)
}

async function start(order: Start): Promise<string> {
  const locator = await loadPlugin(order.serverProperties, { logger: eventLogger(tell) }, { timeoutMs: STARTUP_MS })
  watchSession(locator.session, tell)
  const world: AgentWorld = {
    locator,
    group: (name = order.group) => locator.getGroupMembership(name),
    election: (service = order.service) => locator.getLeaderElection(service),
    events,
    emit: (what, details) => tell({ type: 'routine', what, details }),
    now: machineNow,
  }
  running = { locator, start: order, world, listeners: new Map(), handles: new Map() }
  return locator.session.id
}

async function end(locator: PluginLocator | undefined, withinMs: number): Promise<void> {
  let state = 'shutting down'
  // for whoever sees that this process does not end
  const tellWhatIsLeft = () => {
    console.error(`${state}, with ${process.getActiveResourcesInfo().join(', ')}`)
  }
  setTimeout(tellWhatIsLeft, withinMs * PATIENCE).unref()
  await locator?.shutdown()
  state = 'shut down'
}

function busy(ms: number): void {
  const end = machineNow() + ms
  while (machineNow() < end);
}

async function call(running: Running, target: Target, method: string, args: readonly unknown[]): Promise<unknown> {
  if (target.of === 'group') return callGroup(running, target.name ?? running.start.group, method, args)
  if (target.of === 'election') return callElection(running, target.name ?? running.start.service, method, args)
  return invoke(running.locator.getStorage(), method, args)
}

async function callGroup(running: Running, name: string, method: string, args: readonly unknown[]): Promise<unknown> {
  const group = running.world.group(name)
  const listen = async (initial: boolean) => {
    const listener = sameListener(running, `group ${name}`, () => groupListener(name, tell))
    await group.addListener(listener, { initial })
  }
  if (method === 'observe') return listen(true)
  if (method !== 'join') return invoke(group, method, args)
  await listen(false)
  const membership = await group.join(...(args as Parameters<typeof group.join>))
  watchMembership(membership, tell)
  return { epoch: membership.epoch }
}

async function callElection(
  running: Running,
  name: string,
  method: string,
  args: readonly unknown[],
): Promise<unknown> {
  const election = running.world.election(name)
  const remember = (leadership: Leadership) => {
    running.handles.set(JSON.stringify([name, leadership.candidate]), leadership)
  }
  const listen = async (initial: boolean) => {
    const listener = sameListener(running, `election ${name}`, () => leaderListener(name, tell, remember))
    await election.addListener(listener, { initial })
  }
  const [candidate, ...rest] = args as [string, ...unknown[]]
  if (method === 'observe') return listen(true)
  if (method === 'nominate') await listen(false)
  if (method === 'awaitLeadership') {
    const leadership = await election.awaitLeadership(...(args as Parameters<typeof election.awaitLeadership>))
    remember(leadership)
    return { token: leadership.token }
  }
  if (method === 'leadership') {
    const leadership = election.leadership(candidate)
    return leadership === undefined ? undefined : { token: leadership.token, held: leadership.held }
  }
  if (method !== 'fencedPut') return invoke(election, method, args)
  const fence = running.handles.get(JSON.stringify([name, candidate])) ?? election.leadership(candidate)
  if (fence === undefined) throw new Error(`${candidate} has never led ${name}: there is nothing to fence with`)
  const [key, data] = rest as [string, Data]
  return write(running.locator.getStorage(), key, data, fence)
}

/** Whether the key is there or not. */
async function write(storage: Storage, key: string, data: Data, fence: Fence): Promise<void> {
  try {
    await storage.update(key, data, { fence })
  } catch (error) {
    if (!isCoordinationError(error, 'KEY_NOT_FOUND')) throw error
    await storage.put(key, data, { fence })
  }
}

function sameListener<L extends object>({ listeners }: Running, name: string, make: () => L): L {
  const known = listeners.get(name)
  if (known !== undefined) return known as L
  const made = make()
  listeners.set(name, made)
  return made
}

async function invoke(service: object, method: string, args: readonly unknown[]): Promise<unknown> {
  const member: unknown = Reflect.get(service, method)
  if (typeof member !== 'function') throw new Error(`there is no method ${method}`)
  const result: unknown = await Reflect.apply(member, service, args)
  return result
}
