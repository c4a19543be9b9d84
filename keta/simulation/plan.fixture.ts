/**
 * What a seed is about: how large the cluster is, how clients use it, and which faults happen how often. Each seed has
 * only some kinds of faults, so that one kind does not hide another (swarm testing).
 */
import type { Chance } from './chance.fixture.ts'
import type { GroupFaults } from './simulated-group.fixture.ts'
import type { LogFaults } from './simulated-log.fixture.ts'
import type { PeerFaults } from './simulated-peers.fixture.ts'
import type { TopicFaults } from './topic.fixture.ts'

export type Fault =
  | 'crash'
  | 'stop'
  | 'pause'
  | 'cut log'
  | 'mute log'
  | 'isolate'
  | 'cut group'
  | 'cut peers'
  | 'cut node'
  | 'fail over'
  | 'expel'
  | 'mislead'
  | 'forget group'
  | 'damage snapshot'
  | 'move leader'
  | 'mark'

const FAULTS: readonly Fault[] = [
  'crash',
  'stop',
  'pause',
  'cut log',
  'mute log',
  'isolate',
  'cut group',
  'cut peers',
  'cut node',
  'fail over',
  'expel',
  'mislead',
  'forget group',
  'damage snapshot',
  'move leader',
  'mark',
]

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface Plan {
  readonly nodes: number
  /** How long there are faults. */
  readonly durationMs: number
  readonly writersPerNode: number
  /** How many of a hundred operations or so are linearizable reads. */
  readonly reads: number
  readonly leaseHolders: number
  readonly watchers: number
  /** Mean time between two operations of a client. */
  readonly thinkMs: number
  readonly readLeaseMs: number
  readonly tickIntervalMs: number
  readonly snapshotLogBytes: number
  /** Largest deviation of a clock's rate from 1. Two clocks must not differ by more than 10 %. */
  readonly drift: number
  readonly faults: readonly Fault[]
  /** Mean time between two faults. */
  readonly faultEveryMs: number
  readonly log: Mutable<LogFaults>
  readonly topic: Mutable<TopicFaults>
  readonly group: Mutable<GroupFaults>
  readonly peers: Mutable<PeerFaults>
}

export function planOf(chance: Chance): Plan {
  const sometimes = (probability: number, low: number, high: number): number =>
    chance.happens(probability) ? chance.between(low, high) : 0
  return {
    nodes: chance.weighted([
      [1, 1],
      [3, 2],
      [12, 3],
      [3, 4],
      [1, 5],
    ]),
    durationMs: chance.between(4_000, 14_000),
    writersPerNode: 1 + chance.below(2),
    reads: chance.skewed(10, 300),
    leaseHolders: chance.below(3),
    watchers: chance.below(3),
    thinkMs: chance.between(40, 400),
    readLeaseMs: sometimes(0.5, 100, 1500),
    tickIntervalMs: chance.between(100, 1000),
    snapshotLogBytes: chance.happens(0.4) ? chance.between(500, 6000) : 1 << 30,
    drift: sometimes(0.6, 0, 0.047),
    faults: FAULTS.filter(() => chance.happens(0.35)),
    faultEveryMs: chance.between(300, 3000),
    log: {
      delayMs: chance.skewed(1, 300),
      lostBatches: sometimes(0.3, 0, 0.2),
      lostAcks: sometimes(0.3, 0, 0.2),
      late: sometimes(0.4, 0, 0.15),
      lateMs: chance.skewed(1_000, 120_000),
      requestTimeoutMs: chance.between(300, 3000),
    },
    topic: {
      replicationMs: chance.skewed(1, 600),
      gaps: sometimes(0.3, 0, 0.1),
    },
    group: {
      delayMs: chance.skewed(1, 500),
      sessionMs: chance.between(1_000, 4_000),
      late: sometimes(0.3, 0, 0.3),
      lateMs: chance.between(500, 8_000),
    },
    peers: {
      delayMs: chance.skewed(0.2, 200),
      lostRequests: sometimes(0.3, 0, 0.1),
      lostAnswers: sometimes(0.3, 0, 0.1),
    },
  }
}

/** From now on nothing goes wrong by itself. */
export function heal({ log, topic, group, peers }: Plan): void {
  Object.assign(log, { lostBatches: 0, lostAcks: 0, late: 0 })
  Object.assign(topic, { gaps: 0 })
  Object.assign(group, { late: 0 })
  Object.assign(peers, { lostRequests: 0, lostAnswers: 0 })
}
