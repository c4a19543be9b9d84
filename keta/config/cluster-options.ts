/** The part of the option table about several nodes that share one log. */
import { option } from './option.ts'
import { booleanKind, durationKind, textKind } from './values.ts'

export const CLUSTER_OPTIONS = {
  clusterGroupId: option({
    flag: 'cluster-group-id',
    section: 'Cluster',
    kind: textKind(/^[\w.-]{1,249}$/, '1 to 249 letters, digits, dots, dashes or underscores'),
    default: 'keta',
    help:
      'The Kafka group in which the nodes of one cluster find each other and agree who leads. All of them need the ' +
      'same one, and no other cluster on these brokers may have it.',
    sameAsEtcd: false,
    property: 'cluster.group.id',
  }),
  leaderEligibility: option({
    flag: 'leader-eligibility',
    section: 'Cluster',
    kind: booleanKind,
    default: 'true',
    help: 'Whether this node may lead. Nodes that may not still serve every request; at least one must be able to.',
    sameAsEtcd: false,
    property: 'leader.eligibility',
  }),
  readLease: option({
    flag: 'read-lease',
    section: 'Cluster',
    kind: durationKind('ms', 0, 5000),
    default: '0',
    help:
      'How long after a write the leader may answer linearizable reads without asking Kafka. They stay linearizable ' +
      'if the clocks of any two nodes run at rates within 10 % of each other; a new leader accepts writes that much ' +
      'later. 0 asks Kafka for every batch of reads and trusts no clock.',
    sameAsEtcd: false,
  }),
  leaderTickInterval: option({
    flag: 'leader-tick-interval',
    section: 'Cluster',
    kind: durationKind('ms', 50, 10_000),
    default: '300ms',
    help: 'How often a leader without writes shows in the log that it lives.',
    sameAsEtcd: false,
  }),
  leaderSilence: option({
    flag: 'leader-silence',
    section: 'Cluster',
    kind: durationKind('ms', 200, 60_000),
    default: '1200ms',
    help:
      'After this long without anything from the leader the other nodes ask it whether it lives. More than two of ' +
      '--leader-tick-interval.',
    sameAsEtcd: false,
  }),
  leaderPing: option({
    flag: 'leader-ping',
    section: 'Cluster',
    kind: durationKind('ms', 50, 30_000),
    default: '600ms',
    help: 'A leader that has not answered that question for so long is taken for dead.',
    sameAsEtcd: false,
  }),
}
