/** What the topic of the log must be like so that no record is lost, and what to do about one that is not. */

export interface TopicFacts {
  readonly name: string
  readonly partitions: number
  readonly replication: number
  /** The values in force, whatever set them. */
  readonly configs: ReadonlyMap<string, string>
}

/** The largest record is a request of 1.5 MiB, and one batch may carry several. */
export const LEAST_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const CREATED_MAX_MESSAGE_BYTES = 8 * 1024 * 1024
/** From so many replicas on two of them must have each record before it is acknowledged. */
const REPLICATED = 3

interface ConfigRule {
  readonly setting: string
  /** In words: "must be …". */
  readonly demand: string
  readonly mend: string
  readonly allows: (value: string) => boolean
}

/** The configs to create a topic with; what the user gives wins, and is judged as that of any other topic is. */
export function configsToCreate(replication: number, given: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
    ['unclean.leader.election.enable', 'false'],
    ['min.insync.replicas', String(leastInSync(replication))],
    ['max.message.bytes', String(CREATED_MAX_MESSAGE_BYTES)],
    ['compression.type', 'producer'],
    // A client's clock may be wrong, and then brokers may refuse its records.
    ['message.timestamp.type', 'LogAppendTime'],
    ...given,
  ])
}

/** One line for each setting that is not as it must be: what it is, what it must be, the command that mends it. */
export function topicProblems(topic: TopicFacts, tools: string, partitions = 1): readonly string[] {
  const problems: string[] = []
  if (topic.partitions !== partitions) {
    problems.push(
      `partitions is ${topic.partitions} and must be ${partitions}, which cannot be changed: use another topic, or ` +
        `(if nothing needs this one) kafka-topics.sh ${tools} --delete --topic ${topic.name}`,
    )
  }
  for (const { setting, demand, mend, allows } of rules(topic.replication)) {
    const value = topic.configs.get(setting)
    if (value === undefined || allows(value)) continue
    const command = `kafka-configs.sh ${tools} --alter --entity-type topics --entity-name ${topic.name}`
    problems.push(`${setting} is ${value} and must be ${demand}: ${command} --add-config ${setting}=${mend}`)
  }
  return problems
}

function rules(replication: number): readonly ConfigRule[] {
  const inSync = leastInSync(replication)
  return [
    exactly('cleanup.policy', 'delete'),
    exactly('retention.ms', '-1'),
    exactly('retention.bytes', '-1'),
    exactly('unclean.leader.election.enable', 'false'),
    atLeast('min.insync.replicas', inSync),
    atLeast('max.message.bytes', LEAST_MAX_MESSAGE_BYTES),
    {
      setting: 'compression.type',
      demand: 'producer (brokers then leave batches as they are)',
      mend: 'producer',
      allows: (value) => value === 'producer' || value === 'uncompressed',
    },
  ]
}

function exactly(setting: string, wanted: string): ConfigRule {
  return { setting, demand: wanted, mend: wanted, allows: (value) => value === wanted }
}

function atLeast(setting: string, least: number): ConfigRule {
  return { setting, demand: `at least ${least}`, mend: String(least), allows: (value) => Number(value) >= least }
}

function leastInSync(replication: number): number {
  return replication >= REPLICATED ? 2 : 1
}
