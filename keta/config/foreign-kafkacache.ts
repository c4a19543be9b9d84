/**
 * Java Keta's names for its cache in Kafka and for its Kafka clients that are not options of this server; those that
 * are stand in kafka-options.ts. The first entry that a name matches counts.
 */
import { type ForeignOption, java } from './foreign-option.ts'

const OWN_DIRECTORY = 'what Java Keta keeps there is a copy in a format of its own; see data-dir'
const WAITS =
  'a node waits for Kafka for as long as it takes, and a request for as long as its client; see kafka-request-timeout'
const ONE_PARTITION = 'the log is one partition, and is read from its last snapshot on'
const CHECKED = 'the topic is always checked'
const NOT_BOUNDED = 'the state is whole on every node; see backing-cache for one larger than the memory'
const NODE_TLS = 'TLS is that of Node.js: versions 1.2 and 1.3 with its ciphers'
const NO_KERBEROS = 'Kerberos is not supported'
const STORE_TYPES = ['PEM', 'PKCS12', 'JKS']

export const KAFKACACHE: readonly ForeignOption[] = [
  ...ignored('the log is read without a consumer group; nodes are told apart by their data directories', ['group.id']),
  ...ignored('Java Keta did not take it either; see kafka-topic', ['topic']),
  ...ignored(ONE_PARTITION, ['topic.num.partitions'], ['1']),
  ...ignored(ONE_PARTITION, ['topic.partitions', 'topic.partitions.offset']),
  ...ignored(CHECKED, ['topic.skip.validation'], ['false']),
  ...ignored(CHECKED, ['topic.require.compact']),
  ...refused(
    'a node that only reads is not part of this version; leader-eligibility keeps one from leading',
    ['topic.read.only'],
    ['false'],
  ),
  ...ignored(WAITS, ['init.timeout.ms', 'timeout.ms', 'poll.timeout.ms', 'request.timeout.ms']),
  ...ignored(OWN_DIRECTORY, ['data.dir', 'checkpoint.*']),
  ...ignored('it is about a database that this server does not have', ['backing.cache.*']),
  ...ignored(NOT_BOUNDED, ['bounded.cache.*'], ['-1']),
  ...refused('only PEM and PKCS12 stores can be read', ['ssl.truststore.type', 'ssl.keystore.type'], STORE_TYPES),
  ...refused('put the PEM text into a file and name that: kafkacache.ssl.truststore.location', [
    'ssl.truststore.certificates',
  ]),
  ...refused('put both PEM texts into a file and name that: kafkacache.ssl.keystore.location', [
    'ssl.keystore.certificate.chain',
    'ssl.keystore.key',
  ]),
  ...refused('Java classes cannot be loaded here', [
    'ssl.engine.factory.class',
    'sasl.client.callback.handler.class',
    'sasl.login.callback.handler.class',
    'sasl.login.class',
  ]),
  ...ignored(NODE_TLS, [
    'ssl.protocol',
    'ssl.provider',
    'ssl.enabled.protocols',
    'ssl.cipher.suites',
    'ssl.trustmanager.algorithm',
    'ssl.keymanager.algorithm',
  ]),
  ...ignored(NO_KERBEROS, ['sasl.kerberos.*']),
  ...ignored('Java Keta passed it on to its Kafka clients, and the client of this server has no such setting', ['*']),
]

type Treatment = ForeignOption['treatment']

function ignored(reason: string, names: readonly string[], harmless: readonly string[] = []): readonly ForeignOption[] {
  return entries('ignored', reason, names, harmless)
}

function refused(reason: string, names: readonly string[], harmless: readonly string[] = []): readonly ForeignOption[] {
  return entries('refused', reason, names, harmless)
}

function entries(
  treatment: Treatment,
  reason: string,
  names: readonly string[],
  harmless: readonly string[],
): readonly ForeignOption[] {
  return names.map((name) => java({ name: `kafkacache.${name}`, treatment, reason, harmless }))
}
