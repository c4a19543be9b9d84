/** The configuration that a topic may have. */
import { BrokerError } from '../errors.ts'
import type { TopicConfig } from './metadata.ts'

export interface TopicSettings {
  /** With fewer replicas in sync nothing is taken. */
  readonly minInSyncReplicas: number
  /** Largest batch. */
  readonly maxMessageBytes: number
}

const MIN_IN_SYNC = 'min.insync.replicas'
const MAX_MESSAGE = 'max.message.bytes'
const DEFAULT_MAX_MESSAGE = 1_048_588

const KNOWN = [MIN_IN_SYNC, MAX_MESSAGE]

/** What counts for a topic. Values that cannot be read count as not given: {@link checkTopicConfig} keeps them out. */
export function topicSettings(config: TopicConfig, defaults: { readonly minInSyncReplicas: number }): TopicSettings {
  return {
    minInSyncReplicas: positive(config[MIN_IN_SYNC]) ?? defaults.minInSyncReplicas,
    maxMessageBytes: positive(config[MAX_MESSAGE]) ?? DEFAULT_MAX_MESSAGE,
  }
}

/** @throws BrokerError INVALID_REQUEST naming what is unknown or wrong. */
export function checkTopicConfig(config: TopicConfig): void {
  const problems = Object.entries(config).flatMap(([name, value]) => {
    if (!KNOWN.includes(name)) return [`${name} is unknown (known: ${KNOWN.join(', ')})`]
    return value === '' || positive(value) !== undefined ? [] : [`${name} must be a positive number, not ${value}`]
  })
  if (problems.length > 0) throw new BrokerError('INVALID_REQUEST', problems.join('; '))
}

function positive(text: string | undefined): number | undefined {
  const value = text !== undefined && /^\d+$/.test(text) ? Number(text) : 0
  return value > 0 && Number.isSafeInteger(value) ? value : undefined
}
