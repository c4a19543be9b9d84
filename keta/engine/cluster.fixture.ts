/**
 * For tests: nodes on one log in memory and one manual clock. The test plays the coordinator; peers reach each other
 * unless a test cuts them off.
 */
import { memoryBacking } from '../backing/memory-backing.ts'
import { RequestFailure } from '../command/failure.ts'
import type { Assignment, Coordinator, CoordinatorPorts, MemberInfo } from '../cluster/coordination.ts'
import { PeerError, type PeerHandler, type PeerLink, type PeerRequest, type PeerResponse } from '../cluster/peers.ts'
import { MemoryLog } from '../log/memory/memory-log.ts'
import { MemorySnapshots } from '../log/memory/memory-snapshots.ts'
import { put as putting, range } from '../state/operations.fixture.ts'
import type { OpenedEngine } from './api.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import { openClusterEngine } from './open-engine.ts'
import type { ClusterTimes } from './ports.ts'

export const TIMES: ClusterTimes = { tickIntervalMs: 300, silenceMs: 1200, pingMs: 600, readLeaseMs: 0 }

export class TestNode {
  readonly id: bigint
  readonly log: MemoryLog
  readonly engine: OpenedEngine
  readonly coordinator: TestCoordinator
  /** Nobody reaches it any more, as if it were cut off, or stood still. */
  unreachable = false
  /** Answers what is forwarded in place of `putHere`. */
  handler: PeerHandler | undefined
  /** What it was asked by other nodes, by kind. */
  readonly asked: PeerRequest['kind'][] = []

  constructor(id: bigint, log: MemoryLog, engine: OpenedEngine, coordinator: TestCoordinator) {
    this.id = id
    this.log = log
    this.engine = engine
    this.coordinator = coordinator
  }

  async handle(request: PeerRequest): Promise<PeerResponse> {
    this.asked.push(request.kind)
    try {
      return await this.#answer(request)
    } catch (error) {
      if (error instanceof RequestFailure && error.code === 'NOT_LEADER') return { kind: 'notLeader' }
      throw error
    }
  }

  /** The body of a forwarded request is here the key to be put. */
  async #answer(request: PeerRequest): Promise<PeerResponse> {
    if (request.kind === 'readIndex') return { kind: 'readIndex', offset: await this.engine.readIndex() }
    if (request.kind === 'takeOver') return { kind: this.engine.takeOver(request.epoch) ? 'done' : 'notLeader' }
    if (request.kind === 'ping') return { kind: 'done' }
    if (this.handler !== undefined) return this.handler.handle(request)
    const body = await putHere(this.engine, Buffer.from(request.body).toString())
    return { kind: 'answer', body, appliedOffset: this.engine.appliedOffset }
  }
}

export class TestCoordinator implements Coordinator {
  readonly expelled: bigint[] = []
  announced = 0
  left = false
  #ports: CoordinatorPorts | undefined

  join(ports: CoordinatorPorts): void {
    this.#ports = ports
  }

  announce(): void {
    this.announced++
  }

  expel(memberId: bigint): Promise<void> {
    this.expelled.push(memberId)
    return Promise.resolve()
  }

  leave(): Promise<void> {
    this.left = true
    return Promise.resolve()
  }

  get self(): MemberInfo {
    if (this.#ports === undefined) throw new Error('the node has not joined')
    return this.#ports.self()
  }

  assign(assignment: Assignment): void {
    this.#ports?.onAssignment(assignment)
  }
}

export class TestCluster {
  readonly clock = new ManualClock()
  readonly nodes: TestNode[] = []
  readonly errors: string[] = []
  #generation = 0

  /** Nodes 1 to `count`, joined, none of them leading. */
  static async of(count: number, times: Partial<ClusterTimes> = {}): Promise<TestCluster> {
    const cluster = new TestCluster()
    for (let id = 1; id <= count; id++) await cluster.start(BigInt(id), times)
    return cluster
  }

  async start(id: bigint, times: Partial<ClusterTimes> = {}): Promise<TestNode> {
    const log = this.nodes[0]?.log.another() ?? new MemoryLog()
    const coordinator = new TestCoordinator()
    const opening = openClusterEngine({
      identity: { clusterId: 9n, memberId: id, name: `n${id}` },
      snapshots: new MemorySnapshots(),
      backing: memoryBacking(),
      clock: this.clock,
      random: (count) => new Uint8Array(count).fill(Number(id)),
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: (message) => this.errors.push(`n${id}: ${message}`),
      },
      quotaBytes: 0,
      maxRequestBytes: 1_572_864,
      progressNotifyIntervalMs: 600_000,
      snapshotLogBytes: 1 << 30,
      autoCompaction: { mode: 'off' },
      cluster: {
        log,
        coordinator,
        peers: { connect: (urls) => this.#linkTo(urls[0] ?? '') },
        clientUrls: () => [String(id)],
        eligible: true,
        times: { ...TIMES, ...times },
        chance: () => 0,
        startedAt: Number(id),
        sharedSnapshots: new MemorySnapshots(),
      },
    })
    await this.clock.settle()
    const node = new TestNode(id, log, await opening, coordinator)
    this.nodes.push(node)
    node.engine.join()
    return node
  }

  node(id: number): TestNode {
    const found = this.nodes.find((node) => node.id === BigInt(id))
    if (found === undefined) throw new Error(`there is no node ${id}`)
    return found
  }

  /** All nodes, or those named, are told that `leader` should lead. */
  async assign(leader: number, toldNodes = this.nodes): Promise<void> {
    this.#generation++
    const members = this.nodes.map(({ coordinator }) => coordinator.self)
    const assignment = { generation: this.#generation, leader: BigInt(leader), members, refused: [] }
    for (const { coordinator } of toldNodes) coordinator.assign(assignment)
    await this.clock.settle()
  }

  /** What the promise comes to with everything that happens by itself. */
  async run<T>(promise: Promise<T>): Promise<T> {
    await this.clock.settle()
    return promise
  }

  /** How the promise stands once everything has happened that happens by itself in `ms`. */
  async outcome(promise: Promise<unknown>, ms = 0): Promise<string> {
    let outcome = 'pending'
    promise.then(
      () => (outcome = 'done'),
      (error: unknown) => (outcome = error instanceof Error ? error.message : String(error)),
    )
    await this.clock.advance(ms)
    return outcome
  }

  async stop(): Promise<void> {
    const stopped = Promise.all(this.nodes.map(({ engine }) => engine.stop()))
    await this.clock.advance(10_000)
    await stopped
  }

  #linkTo(url: string): PeerLink {
    return {
      request: async (request, timeoutMs) => {
        const node = this.node(Number(url))
        if (!node.unreachable) return node.handle(request)
        await new Promise<void>((resolve) => {
          this.clock.setTimer(timeoutMs, resolve)
        })
        throw new PeerError('cut off', true)
      },
      close: () => undefined,
    }
  }
}

/** A client's put through this node, wherever it is answered. */
export function put(node: TestNode, key: string): Promise<unknown> {
  const request = { method: 'put', body: Buffer.from(key), metadata: () => new Map<string, string>() }
  return Promise.resolve(node.engine.route(request, () => putHere(node.engine, key)))
}

async function putHere(engine: OpenedEngine, key: string): Promise<Uint8Array> {
  await engine.propose(putting(key, key))
  return Buffer.from(key)
}

/** A client's linearizable read through this node: the value, or undefined. */
export async function get(node: TestNode, key: string, serializable = false): Promise<string | undefined> {
  return node.engine.read(serializable, () => {
    const [found] = node.engine.range(range(key)).response.kvs
    return found === undefined ? undefined : Buffer.from(found.value()).toString()
  })
}
