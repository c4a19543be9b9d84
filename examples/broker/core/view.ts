/** What a controller looks at before it decides: the cluster as the store shows it. */
import type { Version } from 'keta/spi'
import type { PartitionState, Reassigned, TopicPartition, TopicRecord } from './metadata.ts'

export interface Versioned<T> {
  readonly value: T
  readonly version: Version
}

export interface LiveBroker {
  /** It has asked to be freed from its leaderships. */
  readonly isLeaving: boolean
}

export interface TopicView {
  readonly record: Versioned<TopicRecord> | undefined
  readonly states: ReadonlyMap<number, Versioned<PartitionState>>
  /** Something of it cannot be read: it is left alone. */
  readonly isUnreadable: boolean
}

export interface Deletion {
  /** Empty: whatever topic has the name. */
  readonly topicId: string
}

export interface ClusterView {
  readonly brokers: ReadonlyMap<number, LiveBroker>
  readonly topics: ReadonlyMap<string, TopicView>
  /** Versions of the configurations of topics. */
  readonly configs: ReadonlyMap<string, Version>
  readonly deletions: ReadonlyMap<string, Versioned<Deletion>>
  readonly reassignment: Versioned<readonly Reassigned[]> | undefined
  readonly preferred: Versioned<readonly TopicPartition[]> | undefined
  /** Wishes to leave of brokers that have left. */
  readonly pastShutdowns: ReadonlyMap<number, Version>
}

/** All of them are fenced when they are made. */
export type Write =
  | { readonly op: 'put'; readonly key: string; readonly data: string }
  | { readonly op: 'update'; readonly key: string; readonly data: string; readonly ifVersion: Version }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion: Version }
