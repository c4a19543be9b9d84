import { expect } from 'chai'
import { configsToCreate, topicProblems } from './topic-rules.ts'

describe('what the topic of the log must be like', () => {
  const none = new Map<string, string>()

  for (const replication of [1, 2, 3, 5]) {
    it(`finds nothing wrong with a topic created with ${replication} copies`, () => {
      const topic = { name: 't', partitions: 1, replication, configs: configsToCreate(replication, none) }
      expect(topicProblems(topic, '')).to.deep.equal([])
    })
  }

  it('names each setting, what it is, what it must be, and the command that mends it', () => {
    const configs = new Map([
      ['cleanup.policy', 'compact'],
      ['retention.ms', '604800000'],
      ['retention.bytes', '1000'],
      ['unclean.leader.election.enable', 'true'],
      ['min.insync.replicas', '1'],
      ['max.message.bytes', '1048588'],
      ['compression.type', 'zstd'],
    ])
    const topic = { name: 'log', partitions: 2, replication: 3, configs }
    const mend = 'kafka-configs.sh --bootstrap-server b:1 --alter --entity-type topics --entity-name log --add-config'
    expect(topicProblems(topic, '--bootstrap-server b:1')).to.deep.equal([
      'partitions is 2 and must be 1, which cannot be changed: use another topic, or ' +
        '(if nothing needs this one) kafka-topics.sh --bootstrap-server b:1 --delete --topic log',
      `cleanup.policy is compact and must be delete: ${mend} cleanup.policy=delete`,
      `retention.ms is 604800000 and must be -1: ${mend} retention.ms=-1`,
      `retention.bytes is 1000 and must be -1: ${mend} retention.bytes=-1`,
      `unclean.leader.election.enable is true and must be false: ${mend} unclean.leader.election.enable=false`,
      `min.insync.replicas is 1 and must be at least 2: ${mend} min.insync.replicas=2`,
      `max.message.bytes is 1048588 and must be at least 4194304: ${mend} max.message.bytes=4194304`,
      'compression.type is zstd and must be producer (brokers then leave batches as they are): ' +
        `${mend} compression.type=producer`,
    ])
  })

  it('demands two replicas in sync only where there are three', () => {
    const configs = configsToCreate(2, none)
    expect(topicProblems({ name: 't', partitions: 1, replication: 2, configs }, '')).to.deep.equal([])
    expect(topicProblems({ name: 't', partitions: 1, replication: 3, configs }, '')).to.have.length(1)
  })

  it('judges what the user wants of a new topic as it judges any other', () => {
    const configs = configsToCreate(
      1,
      new Map([
        ['retention.ms', '5'],
        ['segment.bytes', '1000000'],
      ]),
    )
    expect(configs.get('segment.bytes')).to.equal('1000000')
    expect(topicProblems({ name: 't', partitions: 1, replication: 1, configs }, '')).to.have.length(1)
  })
})
