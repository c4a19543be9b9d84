/** The kinds of values that only options about Kafka have. */
import type { BrokerAddress, SaslCredentials } from '../kafka/client/client.ts'
import { InvalidValue } from './invalid-value.ts'
import { formatJaas, type JaasLogin, parseJaas } from './jaas.ts'
import { booleanKind, choiceKind, type ValueKind } from './values.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
const PROTOCOLS: readonly SecurityProtocol[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

export type SaslMechanism = SaslCredentials['mechanism']
const MECHANISMS: readonly SaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']

export interface BootstrapServer extends BrokerAddress {
  /** If one is written before the host; then the server counts only if that is the protocol which is spoken. */
  readonly protocol?: SecurityProtocol
}

const SERVER = /^(?:([A-Za-z][\w+.-]*):\/\/)?(\[[0-9a-fA-F:.%]+\]|[\w.-]+):(\d+)$/

/** The empty text is the empty list. */
export const bootstrapServersKind: ValueKind<readonly BootstrapServer[]> = {
  name: 'HOST:PORT,…',
  expected: 'a comma-separated list of HOST:PORT',
  parse: (text) => (text === '' ? [] : text.split(',').map((element) => parseServer(element.trim()))),
  format: (servers) =>
    servers
      .map(({ protocol, host, port }) => {
        const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
        return protocol === undefined ? address : `${protocol}://${address}`
      })
      .join(','),
}

function parseServer(text: string): BootstrapServer {
  if (text === '') throw new InvalidValue('an element of the list is empty')
  const [, scheme, host = '', digits = ''] = SERVER.exec(text) ?? []
  if (host === '') throw new InvalidValue(`${text} is not HOST:PORT`)
  const port = Number(digits)
  if (port < 1 || port > 65_535) throw new InvalidValue(`${text}: a port is a number from 1 to 65535`)
  const address = { host: host.replace(/^\[|\]$/g, ''), port }
  if (scheme === undefined) return address
  const protocol = PROTOCOLS.find((known) => known === scheme.toUpperCase())
  if (protocol === undefined) throw new InvalidValue(`${text}: the protocol ${scheme} is unknown`)
  return { ...address, protocol }
}

/** In capitals or not, as Java takes it. */
export const securityProtocolKind: ValueKind<SecurityProtocol> = anyCase(choiceKind(PROTOCOLS))

/** The empty text is none. */
export const saslMechanismKind: ValueKind<SaslMechanism | ''> = {
  name: MECHANISMS.join('|'),
  expected: `one of ${MECHANISMS.join(', ')}`,
  parse: (text) => {
    const known = ['' as const, ...MECHANISMS].find((mechanism) => mechanism === text)
    if (known === undefined) throw new InvalidValue(`the mechanism ${JSON.stringify(text)} is not supported`)
    return known
  },
  format: (value) => value,
}

/** The empty text is none. */
export const jaasKind: ValueKind<JaasLogin | undefined> = {
  name: 'text',
  expected: 'a PlainLoginModule or a ScramLoginModule of Kafka with username and password',
  parse: (text) => (text === '' ? undefined : parseJaas(text)),
  format: (value) => (value === undefined ? '' : formatJaas(value)),
}

/** Java's names for the two, too. */
export const hostnameCheckKind: ValueKind<boolean> = {
  name: booleanKind.name,
  expected: 'true or https, false or nothing',
  parse: (text) => (text === '' ? false : text.toLowerCase() === 'https' ? true : booleanKind.parse(text)),
  format: (value) => booleanKind.format(value),
}

const INTERNAL_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state', '__cluster_metadata']

/** What Kafka accepts. */
export const topicNameKind: ValueKind<string> = {
  name: 'topic',
  expected: "1 to 249 letters, digits, dots, dashes or underscores, not . or .. or one of Kafka's own topics",
  parse: (text) => {
    const isName = /^[A-Za-z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
    if (!isName || INTERNAL_TOPICS.includes(text)) throw new InvalidValue()
    return text
  },
  format: (value) => value,
}

/** Kafka's names and values, "a=1,b=2"; a backslash keeps the comma after it from ending a value. */
export const topicConfigKind: ValueKind<ReadonlyMap<string, string>> = {
  name: 'NAME=VALUE,…',
  expected:
    "a comma-separated list of NAME=VALUE with Kafka's names of topic settings, such as segment.bytes=104857600",
  parse: (text) => {
    const entries = new Map<string, string>()
    for (const [element] of text.matchAll(/(?:[^,\\]|\\[^])+/g)) {
      const [, name, value = ''] = /^\s*([a-z][a-z0-9.]*)\s*=([^]*)$/.exec(element) ?? []
      if (name === undefined) throw new InvalidValue(`${element.trim()} is not NAME=VALUE`)
      if (entries.has(name)) throw new InvalidValue(`${name} stands there twice`)
      entries.set(name, value.trim().replace(/\\([,\\])/g, '$1'))
    }
    return entries
  },
  format: formatEntries,
}

/** The text that `topicConfigKind` reads back to these entries. */
export function formatEntries(entries: Iterable<readonly [string, string]>): string {
  return [...entries].map(([name, value]) => `${name}=${value.replace(/[,\\]/g, '\\$&')}`).join(',')
}

function anyCase<T>(kind: ValueKind<T>): ValueKind<T> {
  return { ...kind, parse: (text) => kind.parse(text.toUpperCase()) }
}
