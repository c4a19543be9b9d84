/** One seed: a cluster under faults and load, then mended, and judged. */
import { ALARM_CORRUPT } from '../command/command.ts'
import type { ClusterEngineOptions } from '../engine/ports.ts'
import { LogDivergedError, StateMachine } from '../state/state-machine.ts'
import { onApplied } from './applied-hook.fixture.ts'
import { Checks } from './checks.fixture.ts'
import { Client, type ClientParts } from './client.fixture.ts'
import { Cluster, isLag } from './cluster.fixture.ts'
import type { KnownBad, Scene } from './known-bad.fixture.ts'
import { LeaseHolder } from './lease-holder.fixture.ts'
import { Nemesis } from './nemesis.fixture.ts'
import { Network } from './network.fixture.ts'
import { put } from './operations.fixture.ts'
import { Oracle } from './oracle.fixture.ts'
import { heal, type Plan, planOf } from './plan.fixture.ts'
import { SimulatedGroup } from './simulated-group.fixture.ts'
import { Topic } from './topic.fixture.ts'
import { Trace } from './trace.fixture.ts'
import { Watcher } from './watcher.fixture.ts'
import { type Process, World } from './world.fixture.ts'
import { Writer } from './writer.fixture.ts'

/** Durable records are lost, or somebody else writes into the log. */
export type Damage = 'truncation' | 'foreign record'

export interface RunOptions {
  readonly seed: number
  /** Takes the lines of a readable trace. */
  readonly write?: (line: string) => void
  /** What becomes of the log, which no node can mend. */
  readonly damage?: Damage
  /** What is broken on purpose. */
  readonly bug?: KnownBad
}

export interface RunResult {
  readonly violation: string | undefined
  readonly traceHash: number
  readonly steps: number
  readonly counts: Checks['counts']
  readonly offsets: number
  /** Nodes that ended because the log was damaged. */
  readonly stopped: number
}

/** After everything was mended, the cluster must serve within so long. */
const RECOVERY_MS = 40_000

export function runSeed(options: RunOptions): RunResult {
  const run = new Run(options)
  const repair = run.install()
  const end = onApplied((machine) => run.applied(machine))
  try {
    if (options.damage === undefined) run.simulate()
    else run.simulateDamage(options.damage)
  } finally {
    end()
    repair()
  }
  return run.result()
}

class Run {
  readonly #world: World
  readonly #plan: Plan
  readonly #oracle: Oracle
  readonly #topic: Topic
  readonly #checks: Checks
  readonly #cluster: Cluster
  readonly #nemesis: Nemesis
  readonly #clients: ClientParts
  readonly #watchers: readonly Watcher[]

  readonly #scene: Scene
  #stopped = 0
  readonly #bug: KnownBad | undefined

  constructor({ seed, write, bug, damage }: RunOptions) {
    const { plan = (drawn: Plan) => drawn, disturb = (given: ClusterEngineOptions) => given } = bug ?? {}
    const world = new World(seed, new Trace(write))
    this.#world = world
    const drawn = plan(planOf(world.chance.branch('plan')))
    this.#plan = damage === undefined ? drawn : { ...drawn, snapshotLogBytes: Infinity }
    world.note(() => `plan: ${JSON.stringify(this.#plan)}`)
    const network = new Network()
    this.#oracle = new Oracle((message) => world.violate(message))
    const topic = new Topic(world, this.#plan.topic, (record) => this.#oracle.apply(record))
    this.#topic = topic
    const group = new SimulatedGroup(world, network, this.#plan.group)
    this.#checks = new Checks(world, this.#oracle)
    const shared = { world, plan: this.#plan, network, topic, group }
    this.#cluster = new Cluster({ ...shared, checks: this.#checks, isExpected: isLag, disturb })
    this.#scene = { world, network, cluster: this.#cluster }
    this.#bug = bug
    this.#nemesis = new Nemesis({ ...shared, cluster: this.#cluster })
    this.#clients = { world, cluster: this.#cluster, checks: this.#checks }
    this.#watchers = numbered(this.#plan.watchers, (name) => new Watcher(this.#clients, this.#oracle, `w${name}`))
  }

  /** @return undoes it. */
  install(): () => void {
    return this.#bug?.install?.(this.#scene) ?? (() => undefined)
  }

  applied(machine: StateMachine): void {
    const { current } = this.#world
    if (machine === this.#oracle.machine || current === undefined) return
    const running = this.#cluster.runOf(current)
    if (running !== undefined) running.machine = machine
    this.#checks.applied(current, machine)
  }

  simulate(): void {
    const { durationMs, log } = this.#plan
    this.#start()
    this.#world.runUntil(durationMs)
    const lateUntil = this.#world.now + (log.late > 0 ? log.lateMs : 0)
    heal(this.#plan)
    this.#nemesis.end()
    this.#serveEverywhere()
    this.#world.runUntil(Math.max(lateUntil, this.#world.now) + 1)
    this.#converge()
    this.#checks.finish()
  }

  /** Nodes that hold what the log has lost, or meet what is not theirs, must stop, not go on as if nothing was. */
  simulateDamage(damage: Damage): void {
    const world = this.#world
    this.#start()
    world.runUntil(this.#plan.durationMs)
    if (world.violation !== undefined) return
    heal(this.#plan)
    this.#nemesis.end()
    world.isForgiving = true
    this.#cluster.isAbandoned = true
    const end = damage === 'truncation' ? this.#topic.truncate(1 + world.chance.below(8)) : this.#topic.endOffset
    if (damage === 'foreign record') this.#topic.land([Buffer.from('not ours')], () => undefined)
    const concerned = this.#cluster.nodes.flatMap(({ running }) => {
      const holds = (running?.machine?.position.offset ?? -1) >= end
      return running !== undefined && (holds || damage === 'foreign record') ? [running.process] : []
    })
    world.runUntil(world.now + RECOVERY_MS, () => concerned.every(({ isDead }) => isDead))
    for (const process of concerned) {
      if (process.isDead) this.#stopped++
      else if (damage === 'foreign record' || !this.#isWholeOrLoud(process)) {
        world.condemn(`n${process.node} goes on after a ${damage}`)
      }
    }
  }

  /**
   * Whether it holds what the log holds, or the log can be seen to be damaged by whoever reads it from the beginning.
   * Nodes that all hold what was lost may go on, if the log grew again before they looked: they agree with each other,
   * and whoever starts stops. A leader whom the log did not show what stands in the place of its lost records goes on
   * too, until another node has seen it and raised the alarm: then it takes no more writes.
   */
  #isWholeOrLoud(process: Process): boolean {
    const machine = this.#cluster.runOf(process)?.machine
    if (machine?.alarms.has(ALARM_CORRUPT) === true) return true
    const held = machine?.position
    const replayed = new StateMachine()
    const records = this.#topic.from(0, Infinity).filter(({ offset }) => offset <= (held?.offset ?? -1))
    try {
      for (const { offset, bytes } of records) replayed.apply(offset, bytes)
    } catch (error) {
      this.#world.note(() => `n${process.node} goes on; a new node would not: ${String(error)}`)
      return error instanceof LogDivergedError
    }
    return held?.offset === replayed.position.offset && held.hash === replayed.position.hash
  }

  #start(): void {
    const { nodes, writersPerNode, leaseHolders } = this.#plan
    for (const node of this.#cluster.nodes) this.#cluster.start(node)
    for (const writer of numbered(nodes * writersPerNode, (name) => new Writer(this.#clients, name, this.#plan))) {
      writer.start()
    }
    for (const holder of numbered(leaseHolders, (name) => new LeaseHolder(this.#clients, name))) holder.start()
    for (const watcher of this.#watchers) watcher.start()
    this.#nemesis.start()
  }

  result(): RunResult {
    const { violation, steps, trace } = this.#world
    return {
      violation,
      traceHash: trace.hash,
      steps,
      counts: this.#checks.counts,
      offsets: this.#oracle.offset + 1,
      stopped: this.#stopped,
    }
  }

  /** Every node takes a write and answers a linearizable read. */
  #serveEverywhere(): void {
    const end = this.#world.now + RECOVERY_MS
    const unserved = new Set(this.#cluster.nodes)
    for (const node of this.#cluster.nodes) {
      const client = new Client(this.#clients, `last ${node.number}`)
      const served = this.#serve(client, node).then(() => unserved.delete(node))
      served.catch((error: unknown) => this.#world.violate(String(error)))
    }
    this.#world.runUntil(end, () => unserved.size === 0)
    if (unserved.size > 0) {
      const names = [...unserved].map(({ number }) => `n${number}`).join()
      this.#world.violate(`after ${RECOVERY_MS} ms without faults ${names} did not serve`)
    }
  }

  async #serve(client: Client, node: Cluster['nodes'][number]): Promise<void> {
    for (;;) {
      client.move(node)
      const written = await client.command(put('z', `last ${node.number} ${this.#world.now}`))
      client.move(node)
      const read = written.kind === 'answer' ? await client.read(false) : undefined
      if (read !== undefined) return
    }
  }

  /** All nodes come to hold what the log holds. */
  #converge(): void {
    const { machine } = this.#oracle
    const { nodes } = this.#cluster
    const isLevel = (): boolean =>
      nodes.every(({ running }) => running?.machine?.position.offset === machine.position.offset)
    this.#world.runUntil(this.#world.now + RECOVERY_MS, isLevel)
    if (!isLevel()) this.#world.violate('the nodes do not come to hold the same')
    for (const { number, running } of nodes) {
      if (running?.machine !== undefined && contentOf(running.machine) !== contentOf(machine)) {
        this.#world.violate(`n${number} holds something else than the log`)
      }
    }
  }
}

/** What the digest in the log does not cover. */
function contentOf({ leases, store, alarms }: StateMachine): string {
  const held = [...leases.leases()].map((lease) => `${lease.id}/${lease.ttl}/${lease.sortedKeys().join()}`)
  const history = `${store.hashKv(store.revision)} since ${store.compactRevision}`
  return `${history} ${held.sort().join(' ')} ${alarms.list().length}`
}

function numbered<T>(count: number, make: (name: string) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => make(String(index + 1)))
}
