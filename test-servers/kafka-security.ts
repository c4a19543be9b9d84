/** How the client listener of a test broker is secured. The brokers speak plaintext among themselves. */
import type { ServerTls } from './certificates.ts'

/** sasl_scram takes SCRAM-SHA-256 and -512, sasl_ssl also PLAIN. */
export type KafkaSecurity = 'plaintext' | 'sasl_plain' | 'sasl_scram' | 'ssl' | 'sasl_ssl'

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
const PROTOCOLS: Readonly<Record<KafkaSecurity, string>> = {
  plaintext: 'PLAINTEXT',
  sasl_plain: 'SASL_PLAINTEXT',
  sasl_scram: 'SASL_PLAINTEXT',
  ssl: 'SSL',
  sasl_ssl: 'SASL_SSL',
}
const MODULES = 'org.apache.kafka.common.security'
const USER = /^[\w.-]+$/

export function usesTls(security: KafkaSecurity): boolean {
  return security === 'ssl' || security === 'sasl_ssl'
}

/** The mechanisms whose users are part of a formatted directory. */
export function scramMechanisms(security: KafkaSecurity): readonly string[] {
  return security === 'sasl_scram' || security === 'sasl_ssl' ? SCRAM : []
}

/** @throws if a user can't be written into the broker's properties */
export function securityProperties(
  security: KafkaSecurity,
  users: Readonly<Record<string, string>>,
  tls: ServerTls | undefined,
): Readonly<Record<string, string>> {
  const plain = security === 'sasl_plain' || security === 'sasl_ssl' ? ['PLAIN'] : []
  const mechanisms = [...plain, ...scramMechanisms(security)]
  return {
    'listener.security.protocol.map': `CLIENT:${PROTOCOLS[security]},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    ...(mechanisms.length > 0 && { 'listener.name.client.sasl.enabled.mechanisms': mechanisms.join(',') }),
    ...Object.fromEntries(mechanisms.map((mechanism) => [jaasName(mechanism), jaasModule(mechanism, users)])),
    ...(tls && {
      'listener.name.client.ssl.keystore.type': 'PEM',
      'listener.name.client.ssl.keystore.location': tls.keyStoreFile,
      'listener.name.client.ssl.truststore.type': 'PEM',
      'listener.name.client.ssl.truststore.location': tls.caFile,
    }),
  }
}

function jaasName(mechanism: string): string {
  return `listener.name.client.${mechanism.toLowerCase()}.sasl.jaas.config`
}

function jaasModule(mechanism: string, users: Readonly<Record<string, string>>): string {
  if (Object.entries(users).some((pair) => !pair.every((word) => USER.test(word)))) {
    throw new Error(`names and passwords of test users match ${String(USER)}`)
  }
  if (mechanism !== 'PLAIN') return `${MODULES}.scram.ScramLoginModule required;`
  const entries = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  return `${MODULES}.plain.PlainLoginModule required ${entries.join(' ')};`
}
