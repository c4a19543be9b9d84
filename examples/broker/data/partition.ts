/** One replica of a partition on this broker: its log, and its present role. */
import type { Version } from 'keta/spi'
import type { EpochEnd } from '../core/epochs.ts'
import { truncationStep } from '../core/epochs.ts'
import type { PartitionState, TopicPartition } from '../core/metadata.ts'
import { BrokerError } from '../errors.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { Leader, type LeaderPorts } from './leader.ts'

/** What the metadata say of the partition. */
export interface PartitionView {
  readonly replicas: readonly number[]
  readonly removing: readonly number[]
  readonly state: PartitionState
  readonly version: Version
}

export interface Following {
  readonly leader: number
  readonly epoch: number
  /** To be asked about next; undefined: the log is a prefix of the leader's. */
  readonly ask: number | undefined
}

export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly log: PartitionLog
  readonly #ports: LeaderPorts
  #epoch = -1
  #leader: Leader | undefined
  #following: Following | undefined
  /** As far as it is known here while following: where a leadership would begin with. */
  #highWatermark = 0

  constructor(of: TopicPartition & { readonly topicId: string }, log: PartitionLog, ports: LeaderPorts) {
    this.topic = of.topic
    this.topicId = of.topicId
    this.partition = of.partition
    this.log = log
    this.#ports = ports
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  get leaderEpoch(): number {
    return this.#epoch
  }

  get leading(): Leader | undefined {
    return this.#leader
  }

  get following(): Following | undefined {
    return this.#following
  }

  get highWatermark(): number {
    return this.#leader?.highWatermark ?? this.#highWatermark
  }

  /**
   * Takes the role that the state gives it. States of a leader epoch that is known already change nothing: within one
   * only the leader writes, and it knows best what.
   * @returns whether the role has changed.
   */
  apply({ state, ...others }: PartitionView): boolean {
    this.#leader?.setReplicas(others.replicas, others.removing)
    if (state.leaderEpoch <= this.#epoch) return false
    this.#stepDown()
    this.#epoch = state.leaderEpoch
    if (state.leader === this.#ports.me) {
      this.#leader = new Leader(this, { ...others, state, highWatermark: this.#highWatermark }, this.#ports)
    } else if (state.leader >= 0) {
      this.#following = { leader: state.leader, epoch: state.leaderEpoch, ask: this.log.lastEpoch }
    }
    this.#ports.changed()
    return true
  }

  /** @throws BrokerError NOT_LEADER, and for an asker that is ahead or behind what those codes say. */
  asLeader(leaderEpoch?: number): Leader {
    if (leaderEpoch !== undefined && leaderEpoch < this.#epoch) {
      throw new BrokerError('FENCED_LEADER_EPOCH', `${this.name} is in leader epoch ${this.#epoch}, not ${leaderEpoch}`)
    }
    if (leaderEpoch !== undefined && leaderEpoch > this.#epoch) {
      throw new BrokerError('UNKNOWN_LEADER_EPOCH', `${this.name} has not heard of leader epoch ${leaderEpoch} yet`)
    }
    if (this.#leader === undefined || this.#leader.isOver) {
      throw new BrokerError('NOT_LEADER', `broker ${this.#ports.me} does not lead ${this.name}`)
    }
    return this.#leader
  }

  /** The leader has answered what was asked; dropped if the role has changed since. */
  align(asked: Following, answer: EpochEnd): void {
    if (this.#following !== asked) return
    const { to, askNext } = truncationStep(this.log.epochs, this.log.endOffset, answer)
    this.log.truncate(to)
    this.#highWatermark = Math.min(this.#highWatermark, this.log.endOffset)
    this.#following = { ...asked, ask: askNext }
  }

  /** Batches from the leader; dropped if the role has changed since they were asked for. */
  follow(asked: Following, offset: number, bytes: Buffer, highWatermark: number): void {
    if (this.#following !== asked || this.log.endOffset !== offset) return
    this.log.appendBatches(bytes)
    this.#highWatermark = Math.max(this.#highWatermark, Math.min(highWatermark, this.log.endOffset))
  }

  close(): void {
    this.#stepDown()
    this.log.close()
  }

  #stepDown(): void {
    this.#highWatermark = this.highWatermark
    this.#leader?.end()
    this.#leader = undefined
    this.#following = undefined
  }
}
