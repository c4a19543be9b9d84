/** Where things stand in the store: the paths that Kafka uses. */

export const CONTROLLER_EPOCH = '/controller_epoch'
export const CLUSTER_ID = '/cluster/id'
export const TOPICS = '/brokers/topics'
export const TOPIC_CONFIGS = '/config/topics'
export const ADMIN = '/admin'
export const DELETE_TOPICS = '/admin/delete_topics'
export const REASSIGNMENT = '/admin/reassign_partitions'
export const PREFERRED_ELECTION = '/admin/preferred_replica_election'
/** Not Kafka's, which has a request of its own for it: brokers that want to give their leaderships up before they end. */
export const SHUTDOWNS = '/admin/controlled_shutdown'

export const topicPath = (topic: string) => `${TOPICS}/${topic}`
export const statePath = (topic: string, partition: number) => `${TOPICS}/${topic}/partitions/${partition}/state`
export const topicConfigPath = (topic: string) => `${TOPIC_CONFIGS}/${topic}`
export const deletionPath = (topic: string) => `${DELETE_TOPICS}/${topic}`
export const shutdownPath = (broker: number) => `${SHUTDOWNS}/${broker}`

/** The topic and partition of a state's path; of other keys nothing. */
export function parseStatePath(key: string): { readonly topic: string; readonly partition: number } | undefined {
  const [, topic, digits] = /^\/brokers\/topics\/([^/]+)\/partitions\/(0|[1-9]\d*)\/state$/.exec(key) ?? []
  return topic === undefined ? undefined : { topic, partition: Number(digits) }
}

/** The last segment if `key` lies immediately below `parent`. */
export function childName(parent: string, key: string): string | undefined {
  const name = key.startsWith(`${parent}/`) ? key.slice(parent.length + 1) : ''
  return name === '' || name.includes('/') ? undefined : name
}

/** Kafka's rule for the names of topics, so that each fits one segment of a path and one folder. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'
}
