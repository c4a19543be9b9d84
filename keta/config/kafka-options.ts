/** The part of the option table about Kafka: where it is, what is kept there, how the connections are secured. */
import {
  bootstrapServersKind,
  hostnameCheckKind,
  jaasKind,
  saslMechanismKind,
  securityProtocolKind,
  topicConfigKind,
  topicNameKind,
} from './kafka-values.ts'
import { option } from './option.ts'
import { durationKind, integerKind, textKind } from './values.ts'

const MINUTE_MS = 60_000
const SECURITY = 'Security of the connection to Kafka'

const pathKind = textKind(/^[^\0]*$/, 'the path of a file')
const secretKind = textKind(/^[^\0]*$/, 'a text')

export const KAFKA_OPTIONS = {
  kafkaBootstrapServers: option({
    flag: 'kafka-bootstrap-servers',
    section: 'Kafka',
    kind: bootstrapServersKind,
    default: '',
    defaultMeans: 'no Kafka: the log lies in --data-dir, and this node is alone',
    help:
      'Brokers to start from, such as kafka1:9092,kafka2:9092: several, so that one may be down. The nodes of a ' +
      'cluster keep their log in this Kafka.',
    sameAsEtcd: false,
    property: 'kafkacache.bootstrap.servers',
  }),
  kafkaTopic: option({
    flag: 'kafka-topic',
    section: 'Kafka',
    kind: topicNameKind,
    default: '_keta_log',
    help:
      'Topic of the log. It is created if absent, and refused if it is set up so that data could be lost. Clusters ' +
      'that share a Kafka need one each.',
    sameAsEtcd: false,
  }),
  kafkaSnapshotTopic: option({
    flag: 'kafka-snapshot-topic',
    section: 'Kafka',
    kind: topicNameKind,
    default: '${kafka-topic}_snapshots',
    help: 'Topic of the snapshots, from which a node starts that has none of its own. It is created if absent.',
    sameAsEtcd: false,
  }),
  kafkaReplicationFactor: option({
    flag: 'kafka-replication-factor',
    section: 'Kafka',
    kind: integerKind(1, 32_767),
    default: '3',
    help:
      'Brokers that keep each record of a topic that is created; fewer if there are fewer brokers. From 3 on, two ' +
      'must have a record before it is acknowledged.',
    sameAsEtcd: false,
    property: 'kafkacache.topic.replication.factor',
  }),
  kafkaTopicConfig: option({
    flag: 'kafka-topic-config',
    section: 'Kafka',
    kind: topicConfigKind,
    default: '',
    help:
      'Further settings of a topic that is created, as Kafka names them. In a .yaml file it may be a map; a comma ' +
      'within a value is written as "\\,".',
    sameAsEtcd: false,
    property: 'kafkacache.topic.config.*',
  }),
  kafkaClientId: option({
    flag: 'kafka-client-id',
    section: 'Kafka',
    kind: textKind(/^[\w.-]{1,255}$/, '1 to 255 letters, digits, dots, dashes or underscores'),
    default: 'keta-${name}',
    help: 'What the brokers call this node in their logs, metrics and quotas.',
    sameAsEtcd: false,
    property: 'kafkacache.client.id',
  }),
  kafkaRequestTimeout: option({
    flag: 'kafka-request-timeout',
    section: 'Kafka',
    kind: durationKind('ms', 500, 5 * MINUTE_MS),
    default: '5s',
    help:
      'How long a broker may take to answer, or to accept a connection, before another connection is tried. A broker ' +
      'that has vanished holds up writes for so long.',
    sameAsEtcd: false,
  }),
  kafkaSessionTimeout: option({
    flag: 'kafka-session-timeout',
    section: 'Kafka',
    kind: durationKind('ms', 1000, 30 * MINUTE_MS),
    default: '6s',
    help:
      'How long the group waits for a node of which it hears nothing before it takes it for gone. The brokers bound ' +
      'it by group.min.session.timeout.ms (6s as they come) and group.max.session.timeout.ms.',
    sameAsEtcd: false,
  }),
  kafkaSecurityProtocol: option({
    flag: 'kafka-security-protocol',
    section: SECURITY,
    kind: securityProtocolKind,
    default: 'PLAINTEXT',
    help: 'SSL means TLS; SASL means that this node says who it is by --kafka-sasl-mechanism.',
    sameAsEtcd: false,
    property: 'kafkacache.security.protocol',
  }),
  kafkaSaslMechanism: option({
    flag: 'kafka-sasl-mechanism',
    section: SECURITY,
    kind: saslMechanismKind,
    default: '',
    help: 'How user and password are told to the broker: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.',
    sameAsEtcd: false,
    property: 'kafkacache.sasl.mechanism',
  }),
  kafkaSaslUsername: option({
    flag: 'kafka-sasl-username',
    section: SECURITY,
    kind: secretKind,
    default: '',
    help: 'User that the brokers know.',
    sameAsEtcd: false,
  }),
  kafkaSaslPassword: option({
    flag: 'kafka-sasl-password',
    section: SECURITY,
    kind: secretKind,
    default: '',
    help: 'Password of that user. Others on this machine can read command lines: prefer the environment or a file.',
    sameAsEtcd: false,
    secret: true,
  }),
  kafkaSaslJaasConfig: option({
    flag: 'kafka-sasl-jaas-config',
    section: SECURITY,
    kind: jaasKind,
    default: '',
    help: 'User and password as Java clients have them, instead of --kafka-sasl-username and --kafka-sasl-password.',
    sameAsEtcd: false,
    property: 'kafkacache.sasl.jaas.config',
    secret: true,
  }),
  kafkaSslCaFile: option({
    flag: 'kafka-ssl-ca-file',
    section: SECURITY,
    kind: pathKind,
    default: '',
    defaultMeans: 'the certificate authorities that Node.js trusts',
    help: 'Certificates of the authorities that brokers are trusted by: PEM, or a PKCS12 store.',
    sameAsEtcd: false,
    property: 'kafkacache.ssl.truststore.location',
  }),
  kafkaSslCaPassword: option({
    flag: 'kafka-ssl-ca-password',
    section: SECURITY,
    kind: secretKind,
    default: '',
    help: 'Password of --kafka-ssl-ca-file if that is a PKCS12 store.',
    sameAsEtcd: false,
    property: 'kafkacache.ssl.truststore.password',
    secret: true,
  }),
  kafkaSslCertFile: option({
    flag: 'kafka-ssl-cert-file',
    section: SECURITY,
    kind: pathKind,
    default: '',
    help: "This node's certificate and those that lead from it to an authority: PEM, or a PKCS12 store with the key.",
    sameAsEtcd: false,
    property: 'kafkacache.ssl.keystore.location',
  }),
  kafkaSslCertPassword: option({
    flag: 'kafka-ssl-cert-password',
    section: SECURITY,
    kind: secretKind,
    default: '',
    help: 'Password of --kafka-ssl-cert-file if that is a PKCS12 store.',
    sameAsEtcd: false,
    property: 'kafkacache.ssl.keystore.password',
    secret: true,
  }),
  kafkaSslKeyFile: option({
    flag: 'kafka-ssl-key-file',
    section: SECURITY,
    kind: pathKind,
    default: '',
    defaultMeans: 'the key is in --kafka-ssl-cert-file',
    help: 'Private key of the certificate, PEM.',
    sameAsEtcd: false,
  }),
  kafkaSslKeyPassword: option({
    flag: 'kafka-ssl-key-password',
    section: SECURITY,
    kind: secretKind,
    default: '',
    help: 'Password of the private key, if it is encrypted.',
    sameAsEtcd: false,
    property: 'kafkacache.ssl.key.password',
    secret: true,
  }),
  kafkaSslVerifyHostname: option({
    flag: 'kafka-ssl-verify-hostname',
    section: SECURITY,
    kind: hostnameCheckKind,
    default: 'true',
    propertiesDefault: 'https',
    help:
      "Whether a broker's certificate must name the host that was connected to (https in a .properties file; there, " +
      'and only if it is written, an empty value turns it off). Without it, whoever has any certificate of the same ' +
      "authority can pass for a broker. Java Keta's default was off.",
    sameAsEtcd: false,
    property: 'kafkacache.ssl.endpoint.identification.algorithm',
  }),
}
