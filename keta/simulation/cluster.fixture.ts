/** The nodes of a simulated cluster: real engines on simulated ports, started, crashed, stopped and started again. */
import { memoryBacking } from '../backing/memory-backing.ts'
import type { PeerHandler } from '../cluster/peers.ts'
import type { OpenedEngine } from '../engine/api.ts'
import { openClusterEngine } from '../engine/open-engine.ts'
import type { ClusterEngineOptions, EngineLogger } from '../engine/ports.ts'
import { LogError } from '../log/log.ts'
import type { StateMachine } from '../state/state-machine.ts'
import type { Chance } from './chance.fixture.ts'
import type { Checks } from './checks.fixture.ts'
import type { Network } from './network.fixture.ts'
import { peerHandler } from './peer-handler.fixture.ts'
import type { Plan } from './plan.fixture.ts'
import { type Disk, SimulatedSnapshots } from './simulated-disk.fixture.ts'
import type { SimulatedGroup } from './simulated-group.fixture.ts'
import { SimulatedLog } from './simulated-log.fixture.ts'
import { type PeerParts, SimulatedPeers } from './simulated-peers.fixture.ts'
import type { Topic } from './topic.fixture.ts'
import type { Process, World } from './world.fixture.ts'

/** A run of a node. */
export interface Running {
  readonly process: Process
  /** Undefined until it has read the log. */
  engine: OpenedEngine | undefined
  handler: PeerHandler | undefined
  /** Its newest state. */
  machine: StateMachine | undefined
  isStopping: boolean
}

export interface SimulatedNode {
  readonly number: number
  readonly url: string
  readonly disk: Disk
  readonly rate: number
  running: Running | undefined
}

export interface ClusterParts {
  readonly world: World
  readonly plan: Plan
  readonly network: Network
  readonly topic: Topic
  readonly group: SimulatedGroup
  readonly checks: Checks
  /** What a node may end with. */
  readonly isExpected: (error: Error) => boolean
  /** Puts something between the engine and its ports. */
  readonly disturb: (options: ClusterEngineOptions, process: Process) => ClusterEngineOptions
}

export class Cluster {
  readonly nodes: readonly SimulatedNode[]
  readonly sharedDisk: Disk = new Map()
  readonly #parts: ClusterParts
  readonly #chance: Chance
  readonly #byProcess = new Map<Process, Running>()
  readonly #peers: PeerParts
  /** Nodes that have ended are not started again. */
  isAbandoned = false

  constructor(parts: ClusterParts) {
    const { plan, world, network } = parts
    this.#parts = parts
    this.#chance = world.chance.branch('cluster')
    this.nodes = Array.from({ length: plan.nodes }, (_, index) => ({
      number: index + 1,
      url: `http://n${index + 1}`,
      disk: new Map(),
      rate: 1 + this.#chance.between(-plan.drift, plan.drift),
      running: undefined,
    }))
    this.#peers = {
      world,
      network,
      faults: plan.peers,
      nodeAt: (url) => this.#at(url)!.number,
      at: (url) => {
        const running = this.#at(url)?.running
        return running?.handler && { process: running.process, handler: running.handler }
      },
    }
    world.onStep = (process) => this.#afterStep(process)
  }

  get leaders(): readonly SimulatedNode[] {
    return this.nodes.filter(({ running }) => running?.engine?.leading === true)
  }

  runOf(process: Process): Running | undefined {
    return this.#byProcess.get(process)
  }

  start(node: SimulatedNode): void {
    if (node.running !== undefined) return
    const { world } = this.#parts
    const process = world.newProcess(node.number, node.rate, this.#chance.between(0, 1e6))
    const running: Running = {
      process,
      engine: undefined,
      handler: undefined,
      machine: undefined,
      isStopping: false,
    }
    node.running = running
    this.#byProcess.set(process, running)
    world.schedule(0, process, 'start', () => {
      world.note(() => 'starts')
      openClusterEngine(this.#parts.disturb(this.#options(node, process), process)).then(
        (engine) => this.#opened(node, running, engine),
        (error: unknown) => this.#ended(node, running, error),
      )
    })
  }

  /** kill -9 */
  crash(node: SimulatedNode): void {
    const { running } = node
    if (running === undefined) return
    this.#parts.world.note(() => `n${node.number} crashes`)
    this.#bury(node, running)
  }

  /** SIGTERM */
  stop(node: SimulatedNode): void {
    const { running } = node
    if (running?.engine === undefined || running.isStopping) return
    const { engine, process } = running
    running.isStopping = true
    this.#parts.world.schedule(0, process, 'stop', () => {
      this.#parts.world.note(() => 'is to stop')
      const stopped = engine.resign().then(() => engine.stop())
      stopped.catch((error: unknown) => this.#parts.world.violate(`a stop failed: ${String(error)}`))
    })
  }

  #options(node: SimulatedNode, process: Process): ClusterEngineOptions {
    const { world, plan, network, topic, group, checks } = this.#parts
    const chance = this.#chance.branch(`process ${process.id}`)
    const { rate, disk } = node
    const isReached = (): boolean => network.logLink(node.number) === 'up'
    const onSend = (records: readonly Uint8Array[]): void => checks.sends(records, rate)
    return {
      identity: { clusterId: 1n, memberId: BigInt(node.number), name: `n${node.number}` },
      // What waits for a promise that all share would be kept until the end of all runs.
      backing: { ...memoryBacking(), failed: new Promise<never>(NOTHING) },
      snapshots: new SimulatedSnapshots({ world, disk, process, isReached: () => true }),
      clock: process.clock,
      random: (count) => chance.bytes(count),
      logger: this.#logger(),
      quotaBytes: -1,
      maxRequestBytes: 1_572_864,
      progressNotifyIntervalMs: 5_000,
      snapshotLogBytes: plan.snapshotLogBytes,
      autoCompaction: { mode: 'off' },
      cluster: {
        log: new SimulatedLog({ world, network, topic, process, faults: plan.log, onSend }),
        coordinator: group.coordinator(process),
        peers: new SimulatedPeers(this.#peers, process),
        clientUrls: () => [node.url],
        eligible: true,
        times: {
          tickIntervalMs: plan.tickIntervalMs,
          silenceMs: 4 * plan.tickIntervalMs,
          pingMs: 500,
          readLeaseMs: plan.readLeaseMs,
        },
        chance: () => chance.fraction(),
        startedAt: world.now,
        sharedSnapshots: new SimulatedSnapshots({ world, disk: this.sharedDisk, process, isReached }),
      },
    }
  }

  #opened(node: SimulatedNode, running: Running, engine: OpenedEngine): void {
    this.#parts.world.note(() => 'has read the log')
    running.engine = engine
    running.handler = peerHandler(engine)
    engine.join()
    engine.stopped.then(
      (error) => this.#ended(node, running, error),
      () => undefined,
    )
  }

  /** Somebody starts it again soon. */
  #ended(node: SimulatedNode, running: Running, error: unknown): void {
    const { world, isExpected } = this.#parts
    if (running.process.isDead) return
    world.note(() => `ends: ${String(error)}`)
    if (error !== undefined && !(error instanceof Error && isExpected(error))) {
      world.violate(`n${node.number} ended: ${textOf({ error })}`)
    }
    this.#bury(node, running)
    if (this.isAbandoned) return
    world.schedule(this.#chance.between(100, 3_000), undefined, 'started again', () => this.start(node))
  }

  #bury(node: SimulatedNode, running: Running): void {
    if (node.running === running) node.running = undefined
    this.#byProcess.delete(running.process)
    running.process.die()
  }

  #afterStep(process: Process | undefined): void {
    if (process === undefined) return
    const engine = this.#byProcess.get(process)?.engine
    if (engine?.leading === true) this.#parts.checks.leads(process, engine.term)
  }

  #at(url: string): SimulatedNode | undefined {
    return this.nodes.find((node) => node.url === url)
  }

  #logger(): EngineLogger {
    const { world } = this.#parts
    const write = (message: string, fields?: object): void =>
      world.note(() => `${message} ${fields === undefined ? '' : textOf(fields)}`)
    return {
      debug: write,
      info: write,
      warn: write,
      error: (message, fields) => {
        write(message, fields)
        if (message.startsWith('defect')) world.violate(`${message}: ${textOf(fields ?? {})}`)
      },
    }
  }
}

const NOTHING = (): void => undefined

/** A node that lags behind what was dropped from the log ends, and begins anew from a snapshot. */
export function isLag(error: Error): boolean {
  return error instanceof LogError && error.code === 'OUT_OF_RANGE' && error.message.includes('begins')
}

function textOf(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? (value.stack ?? '') : String(value)}`)
    .join(' ')
}
