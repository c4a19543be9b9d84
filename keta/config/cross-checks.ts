/** What the values of several options have to do with each other. */
import { isLoopback } from './client-urls.ts'
import { matchingServers } from './kafka.ts'
import { bootstrapServersKind } from './kafka-values.ts'
import type { Section } from './option.ts'
import { allOptions, type Config, type OptionKey } from './options.ts'
import { type Finding, ofKafka, problem, type Rule, rule, warning, type Wording } from './rule.ts'
import { TLS_RULES } from './tls-rules.ts'
import { durationText } from './values.ts'

export interface Findings {
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** @param values of the options that have one; a rule about an option without is left out. */
export function crossChecks(values: Partial<Config>, wording: Wording): Findings {
  const findings = RULES.flatMap(({ needs, check }) =>
    // The rule gets what it asked for.
    needs.every((key) => Object.hasOwn(values, key)) ? check(values as Config, wording) : [],
  )
  const texts = (isProblem: boolean) =>
    findings.filter((finding) => finding.isProblem === isProblem).map(({ text }) => text)
  return { problems: texts(true), warnings: texts(false) }
}

const RULES: readonly Rule[] = [
  rule(['autoCompactionMode', 'autoCompactionRetention'], (config, { at, name }) =>
    config.autoCompactionMode === 'revision' && !/^\d+$/.test(config.autoCompactionRetention)
      ? problem(
          `${at('autoCompactionRetention')}: expected a whole number of revisions, because ` +
            `${name('autoCompactionMode')} is revision`,
        )
      : [],
  ),
  rule(['kafkaBootstrapServers'], ({ kafkaBootstrapServers }, { name, isAltered }) => {
    if (kafkaBootstrapServers.length > 0) return []
    const idle = NEEDING_KAFKA.filter(isAltered)
    return idle.length === 0
      ? []
      : warning(`no effect: ${idle.map(name).join(', ')}: it has a meaning only with ${name('kafkaBootstrapServers')}`)
  }),
  ofKafka(['listenClientUrls', 'advertiseClientUrls', 'hostName'], (config, { at, name }) => {
    const isTold = config.advertiseClientUrls.length > 0 || config.hostName !== ''
    const [first] = config.listenClientUrls
    if (isTold || first === undefined || !config.listenClientUrls.every(({ host }) => isLoopback(host))) return []
    return warning(
      `${at('listenClientUrls')}: the other nodes are told to reach this one at ${first.href}, which they can only ` +
        `on the same machine; set ${name('advertiseClientUrls')} or ${name('hostName')}`,
    )
  }),
  ofKafka(['leaderTickInterval', 'leaderSilence'], ({ leaderTickInterval, leaderSilence }, { at, name }) =>
    leaderSilence > 2 * leaderTickInterval
      ? []
      : problem(
          `${at('leaderSilence')}: ${durationText(leaderSilence)} is not more than twice ` +
            `${name('leaderTickInterval')} (${durationText(leaderTickInterval)})`,
        ),
  ),
  ofKafka(['kafkaTopic', 'kafkaSnapshotTopic'], ({ kafkaTopic, kafkaSnapshotTopic }, { at, name }) =>
    // Kafka's metrics write a dot as an underscore, so it refuses names that differ in nothing else.
    kafkaTopic.replaceAll('.', '_') === kafkaSnapshotTopic.replaceAll('.', '_')
      ? problem(`${at('kafkaSnapshotTopic')}: expected another name than that of ${name('kafkaTopic')}`)
      : [],
  ),
  ofKafka(['kafkaSecurityProtocol'], (config, { at, name }) => {
    const used = matchingServers(config)
    const others = config.kafkaBootstrapServers.filter((server) => !used.includes(server))
    if (others.length === 0) return []
    const reason = `${name('kafkaSecurityProtocol')} is ${config.kafkaSecurityProtocol}`
    return used.length === 0
      ? problem(`${at('kafkaBootstrapServers')}: none of them is of the protocol that is spoken: ${reason}`)
      : warning(`${at('kafkaBootstrapServers')}: left out because ${reason}: ${bootstrapServersKind.format(others)}`)
  }),
  ofKafka(
    ['kafkaSecurityProtocol', 'kafkaSaslMechanism', 'kafkaSaslUsername', 'kafkaSaslPassword', 'kafkaSaslJaasConfig'],
    (config, wording) =>
      config.kafkaSecurityProtocol.startsWith('SASL_') ? saslFindings(config, wording) : unusedSasl(config, wording),
  ),
  ofKafka(
    [
      'kafkaSecurityProtocol',
      'kafkaSslCaFile',
      'kafkaSslCaPassword',
      'kafkaSslCertFile',
      'kafkaSslCertPassword',
      'kafkaSslKeyFile',
      'kafkaSslKeyPassword',
    ],
    tlsFindings,
  ),
  ...TLS_RULES,
]

const NEEDING_KAFKA_SECTIONS: readonly Section[] = [
  'TLS between nodes',
  'Cluster',
  'Kafka',
  'Security of the connection to Kafka',
]
const NEEDING_KAFKA: readonly OptionKey[] = allOptions()
  .filter(([, { section }]) => NEEDING_KAFKA_SECTIONS.includes(section))
  .map(([key]) => key)

type SaslKey = 'kafkaSecurityProtocol' | `kafkaSasl${'Mechanism' | 'Username' | 'Password' | 'JaasConfig'}`

function saslFindings(config: Pick<Config, SaslKey>, { at, name }: Wording): readonly Finding[] {
  const { kafkaSaslMechanism: mechanism, kafkaSaslJaasConfig: jaas } = config
  const because = `because ${name('kafkaSecurityProtocol')} is ${config.kafkaSecurityProtocol}`
  const found: Finding[] = []
  if (mechanism === '') {
    found.push(...problem(`${name('kafkaSaslMechanism')}: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, ${because}`))
  } else if (jaas !== undefined && (jaas.module === 'PlainLoginModule') !== (mechanism === 'PLAIN')) {
    found.push(...problem(`${at('kafkaSaslJaasConfig')}: ${jaas.module} is not for ${mechanism}`))
  }
  for (const key of ['kafkaSaslUsername', 'kafkaSaslPassword'] as const) {
    const isThere = config[key] !== ''
    if (jaas === undefined && !isThere) found.push(...problem(`${name(key)}: it is missing, ${because}`))
    if (jaas !== undefined && isThere) {
      found.push(...problem(`${at(key)}: it stands in ${at('kafkaSaslJaasConfig')} too; keep one of them`))
    }
  }
  return found
}

function unusedSasl(config: Pick<Config, SaslKey>, { at, name }: Wording): readonly Finding[] {
  const given = (
    ['kafkaSaslMechanism', 'kafkaSaslUsername', 'kafkaSaslPassword', 'kafkaSaslJaasConfig'] as const
  ).filter((key) => config[key] !== '' && config[key] !== undefined)
  const protocol = config.kafkaSecurityProtocol
  const wanted = protocol === 'SSL' ? 'SASL_SSL' : 'SASL_PLAINTEXT or SASL_SSL'
  return given.flatMap((key) =>
    problem(`${at(key)}: ${name('kafkaSecurityProtocol')} is ${protocol}, which is without it; set it to ${wanted}`),
  )
}

type TlsKey = `kafkaSsl${'Ca' | 'Cert' | 'Key'}${'File' | 'Password'}`

const TLS_KEYS: readonly TlsKey[] = [
  'kafkaSslCaFile',
  'kafkaSslCaPassword',
  'kafkaSslCertFile',
  'kafkaSslCertPassword',
  'kafkaSslKeyFile',
  'kafkaSslKeyPassword',
]

/** What says nothing without a file. */
const ABOUT_A_FILE: readonly (readonly [TlsKey, TlsKey])[] = [
  ['kafkaSslCaPassword', 'kafkaSslCaFile'],
  ['kafkaSslCertPassword', 'kafkaSslCertFile'],
  ['kafkaSslKeyFile', 'kafkaSslCertFile'],
  ['kafkaSslKeyPassword', 'kafkaSslCertFile'],
]

function tlsFindings(
  config: Pick<Config, 'kafkaSecurityProtocol' | TlsKey>,
  { at, name }: Wording,
): readonly Finding[] {
  const protocol = config.kafkaSecurityProtocol
  if (protocol.endsWith('SSL')) {
    return ABOUT_A_FILE.filter(([key, file]) => config[key] !== '' && config[file] === '').flatMap(([key, file]) =>
      problem(`${at(key)}: ${name(file)} is missing`),
    )
  }
  const wanted = protocol === 'PLAINTEXT' ? 'SSL' : 'SASL_SSL'
  return TLS_KEYS.filter((key) => config[key] !== '').flatMap((key) =>
    problem(`${at(key)}: ${name('kafkaSecurityProtocol')} is ${protocol}, which is without TLS; set it to ${wanted}`),
  )
}
