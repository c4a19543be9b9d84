/**
 * Clients of a simulated cluster, in simulated time, all from one seed: requests on registers, transactions over lists,
 * additions to a set, and watchers that reconnect. Replies get lost, requests are refused, late, or never arrive.
 */
import { seeded } from '../../../conformance/kit/seeded.ts'
import type {
  AppendOperation,
  Call,
  HistoryRecord,
  KeyValue,
  KvAnswer,
  KvOperation,
  Outcome,
  Request,
  Step,
  WatchSession,
} from './history.ts'
import { type Chance, type Cursor, EVERYTHING, type SimulatedStore } from './simulated-store.fixture.ts'

export interface SimulationOptions {
  readonly seed: string
  readonly operations: number
  readonly store: (chance: Chance) => SimulatedStore
  /** Of a request: that its outcome is not known, and that it is refused. */
  readonly lossy?: number
  readonly refused?: number
}

/** Each yields how long it does nothing. */
type Actor = Generator<number, void>
type Running<T> = Generator<number, T>

interface World {
  readonly chance: Chance
  readonly store: SimulatedStore
  readonly history: HistoryRecord[]
  readonly options: SimulationOptions
  readonly start: (actor: Actor) => void
  /** What a client last saw of each key. */
  readonly lastReads: Map<string, KeyValue>
  lastRevision: number
  now: number
  /** Operations left to begin. */
  left: number
  clients: number
  processes: number
  elements: number
}

const CLIENTS = 6
const WATCHERS = 4
const ENDPOINTS = ['n1', 'n2', 'n3']
/** Operations on a set of keys before the next set of keys is used. */
const ROTATION = 400

export function simulate(options: SimulationOptions): readonly HistoryRecord[] {
  const chance = seeded(options.seed)
  const actors: { readonly actor: Actor; wakes: number }[] = []
  const world: World = {
    chance,
    store: options.store(seeded(`${options.seed} store`)),
    history: [],
    options,
    start: (actor) => actors.push({ actor, wakes: world.now }),
    lastReads: new Map(),
    lastRevision: 1,
    now: 0,
    left: options.operations,
    clients: CLIENTS,
    processes: 0,
    elements: 0,
  }
  for (let client = 0; client < CLIENTS; client++) world.start(aClient(world))
  for (let watcher = 0; watcher < WATCHERS; watcher++) world.start(aWatcher(world, `w${watcher}`))
  world.start(leaderChanges(world))
  while (actors.length > 0) {
    const next = actors.reduce((first, other) => (other.wakes < first.wakes ? other : first))
    world.now = next.wakes
    const { done, value } = next.actor.next()
    if (done) actors.splice(actors.indexOf(next), 1)
    else next.wakes = world.now + value
  }
  return world.history
}

function* aClient(world: World): Actor {
  const { chance } = world
  let process = world.processes++
  while (world.left > 0) {
    world.left--
    const kind = chance()
    const outcome =
      kind < 0.55
        ? (yield* aRequest(world, process, anyRequest(world))).outcome
        : yield* kind < 0.85 ? anAppend(world, process) : aSetOperation(world, process)
    if (outcome === 'info') process = world.processes++
    yield chance() * 5
  }
  world.clients--
  if (world.clients > 0) return
  // late requests have arrived by then
  yield 1000
  yield* setRead(world, process)
}

function* leaderChanges(world: World): Actor {
  while (world.clients > 0) {
    yield 200 + world.chance() * 400
    world.store.changeLeader()
  }
}

/** A request from its invocation to its return; it takes effect somewhere between, unless the network is unkind. */
function* aRequest(world: World, process: number, request: Request): Running<KvOperation> {
  const { chance, store, options } = world
  const call = { process, endpoint: ENDPOINTS[Math.floor(chance() * ENDPOINTS.length)] ?? '', invoke: world.now }
  const { lossy = 0.05, refused = 0.05 } = options
  const fate = chance()
  yield chance() * 10
  let outcome: Outcome<KvAnswer>
  if (fate < refused) {
    store.refuse(request)
    outcome = { outcome: 'fail', error: 'refused' }
  } else if (fate < refused + lossy) {
    outcome = { outcome: 'info', error: 'timeout' }
    if (chance() < 0.4) store.handle(request)
    else if (chance() < 0.5) world.start(late(world, request))
  } else outcome = { outcome: 'ok', answer: store.handle(request) }
  yield chance() * 10
  const operation: KvOperation = { kind: 'kv', ...call, return: world.now, request, ...outcome }
  world.history.push(operation)
  if (outcome.outcome === 'ok') remember(world, outcome.answer)
  return operation
}

function remember(world: World, { revision, result }: KvAnswer): void {
  world.lastRevision = revision
  for (const kv of result.f === 'range' ? result.kvs : []) world.lastReads.set(kv.key, kv)
}

function* late(world: World, request: Request): Actor {
  yield world.chance() * 500
  world.store.handle(request)
}

function anyRequest(world: World): Request {
  const { chance } = world
  const round = Math.floor((world.options.operations - world.left) / ROTATION)
  const number = Math.floor(chance() * 4)
  const key = `r/${round}/${number}`
  const other = `r/${round}/${(number + 1) % 4}`
  const value = `v${world.elements++}`
  const kind = chance()
  if (kind < 0.3) return { f: 'range', key }
  if (kind < 0.5) return { f: 'put', key, value, prevKv: chance() < 0.5 }
  if (kind < 0.57) return { f: 'delete', key, prevKv: true }
  if (kind < 0.62) return { f: 'range', key: `r/${round}/`, rangeEnd: `r/${round}0`, revision: world.lastRevision }
  if (kind < 0.67) return { f: 'range', key: `r/${round}/`, rangeEnd: `r/${round}0` }
  if (kind < 0.9) return compareAndSet(world, key, value)
  // several keys at once; of keys that nothing else writes, so that those above remain registers
  const pair = [key, other].map((name) => name.replace('r/', 't/'))
  const puts = pair.map((name) => ({ f: 'put', key: name, value }) as const)
  return { f: 'txn', compare: [], success: puts, failure: [] }
}

/** By what was last seen of the key: often right. */
function compareAndSet(world: World, key: string, value: string): Request {
  const kv = world.lastReads.get(key)
  const byValue = kv !== undefined && world.chance() < 0.4
  return {
    f: 'txn',
    compare: [
      {
        key,
        result: '=',
        ...(byValue ? { target: 'value', to: kv.value } : { target: 'mod', to: kv?.modRevision ?? 0 }),
      },
    ],
    success: [{ f: 'put', key, value }],
    failure: world.chance() < 0.7 ? [{ f: 'range', key }] : [],
  }
}

/** As a client of etcd does it: read all keys at once, then write on condition that they are as they were. */
function* anAppend(world: World, process: number): Running<AppendOperation['outcome']> {
  const { chance } = world
  const round = Math.floor((world.options.operations - world.left) / ROTATION)
  const steps = Array.from({ length: 1 + Math.floor(chance() * 3) }, (): Step => {
    const key = `l/${round}/${Math.floor(chance() * 3)}`
    return chance() < 0.5 ? { f: 'read', key } : { f: 'append', key, element: world.elements++ }
  })
  const call = { process, endpoint: 'n1', invoke: world.now }
  const outcome = yield* attempts(world, process, steps)
  world.history.push({ kind: 'append', ...call, return: world.now, steps, ...outcome })
  return outcome.outcome
}

type AppendOutcome = Outcome<Extract<AppendOperation, { outcome: 'ok' }>['answer']>

function* attempts(world: World, process: number, steps: readonly Step[]): Running<AppendOutcome> {
  const keys = [...new Set(steps.map(({ key }) => key))]
  const all = keys.map((key) => ({ f: 'range', key }) as const)
  for (let attempt = 0; attempt < 3; attempt++) {
    const read = yield* aRequest(world, process, { f: 'txn', compare: [], success: all, failure: [] })
    if (read.outcome !== 'ok') return { outcome: 'fail' }
    const lists = new Map(keys.map((key) => [key, [] as number[]]))
    const mods = new Map<string, number>()
    const { result } = read.answer
    for (const one of result.f === 'txn' ? result.results : []) {
      const kv = one.f === 'range' ? one.kvs[0] : undefined
      if (kv === undefined) continue
      lists.set(kv.key, kv.value.split(' ').map(Number))
      mods.set(kv.key, kv.modRevision)
    }
    const reads = perform(steps, lists)
    const written = keys.filter((key) => steps.some((step) => step.f === 'append' && step.key === key))
    if (written.length === 0) return { outcome: 'ok', answer: { revision: read.answer.revision, reads } }
    const write = yield* aRequest(world, process, {
      f: 'txn',
      compare: keys.map((key) => ({ key, target: 'mod', result: '=', to: mods.get(key) ?? 0 })),
      success: written.map((key) => ({ f: 'put', key, value: lists.get(key)?.join(' ') ?? '' })),
      failure: [],
    })
    if (write.outcome !== 'ok') return { outcome: write.outcome }
    const done = write.answer.result
    if (done.f === 'txn' && done.succeeded) return { outcome: 'ok', answer: { revision: write.answer.revision, reads } }
  }
  return { outcome: 'fail', error: 'conflict' }
}

/** @returns what the reads see; the lists are appended to. */
function perform(steps: readonly Step[], lists: ReadonlyMap<string, number[]>): readonly (readonly number[])[] {
  return steps.flatMap((step) => {
    const list = lists.get(step.key) ?? []
    if (step.f === 'read') return [[...list]]
    list.push(step.element)
    return []
  })
}

function* aSetOperation(world: World, process: number): Running<KvOperation['outcome']> {
  if (world.chance() < 0.03) return yield* setRead(world, process)
  const element = world.elements++
  const call = { process, endpoint: 'n1', invoke: world.now }
  const put = yield* aRequest(world, process, { f: 'put', key: `s/${element}`, value: '' })
  const answered: Outcome<{ revision: number }> =
    put.outcome === 'ok' ? { outcome: 'ok', answer: { revision: put.answer.revision } } : { outcome: put.outcome }
  world.history.push({ kind: 'set', set: 's', f: 'add', element, ...call, return: world.now, ...answered })
  return put.outcome
}

function* setRead(world: World, process: number): Running<KvOperation['outcome']> {
  const call: Omit<Call, 'return'> = { process, endpoint: 'n1', invoke: world.now }
  let read = yield* aRequest(world, process, { f: 'range', key: 's/', rangeEnd: 's0' })
  while (read.outcome !== 'ok') read = yield* aRequest(world, process, { f: 'range', key: 's/', rangeEnd: 's0' })
  const { revision, result } = read.answer
  const elements = result.f === 'range' ? result.kvs.map(({ key }) => Number(key.slice(2))) : []
  const answer = { revision, elements }
  world.history.push({ kind: 'set', set: 's', f: 'read', ...call, return: world.now, outcome: 'ok', answer })
  return 'ok'
}

/** The first two watch everything from the beginning, the others some keys from the middle of it. */
function* aWatcher(world: World, watcher: string): Actor {
  const { chance, store } = world
  const range =
    watcher < 'w2' ? EVERYTHING : { key: watcher === 'w2' ? 'l/' : 'r/', rangeEnd: watcher === 'w2' ? 'l0' : 'r0' }
  const cursor: Cursor = { ...range, prevKv: chance() < 0.7, next: watcher < 'w2' ? 1 : store.revision + 1 }
  for (let isLast = false; !isLast; ) {
    const responses: WatchSession['responses'][number][] = []
    const endpoint = ENDPOINTS[Math.floor(chance() * ENDPOINTS.length)] ?? ''
    const startRevision = cursor.next
    responses.push({ at: world.now, revision: store.revision, created: true, events: [] })
    for (const ends = world.now + chance() * 1000; world.now < ends && world.clients > 0; ) {
      yield chance() * 20
      responses.push(...store.deliver(cursor, world.now))
    }
    isLast = world.clients === 0
    if (isLast) yield 2000
    responses.push(...store.deliver(cursor, world.now))
    const { prevKv } = cursor
    world.history.push({ kind: 'watch', watcher, endpoint, ...range, startRevision, prevKv, responses })
  }
}
