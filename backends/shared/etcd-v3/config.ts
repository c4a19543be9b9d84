/** The properties by which a client finds its servers and shows who it is; the same for etcd and for keta. */
import { credentials, type ChannelCredentials } from '@grpc/grpc-js'
import { readFileSync } from 'node:fs'
import type { ConfigItem, Secret } from '../../../spi/index.ts'

const DEFAULT_PORT = '2379'

/** Items of a ConfigDef. */
export const CLIENT_ITEMS = {
  endpoints: {
    type: 'list',
    doc: 'The servers, `host:port`, tried in turn; with `https://` in front for TLS. The port is 2379 by default.',
    validate: malformedEndpoints,
  },
  prefix: {
    type: 'string',
    default: '',
    doc: 'In front of all keys, such as `/teams/billing`; the cluster id follows. Several clusters may share one.',
    validate: (prefix) => (/^(\/[^/\0]+)*$/.test(prefix) ? undefined : "must be empty, or begin but not end with '/'"),
  },
  username: { type: 'string', default: null, doc: 'Who the store shall take us for, if it has access control.' },
  password: { type: 'password', default: null, doc: 'The password of that user.' },
  caFile: {
    type: 'string',
    default: null,
    doc: 'PEM file of the authorities that the servers’ certificates are checked against. Default: those of Node.',
  },
  certFile: { type: 'string', default: null, doc: 'PEM file of our own certificate, if the servers ask for one.' },
  keyFile: { type: 'string', default: null, doc: 'PEM file of the key of that certificate.' },
} as const satisfies Record<string, ConfigItem<'list'> | ConfigItem<'string'> | ConfigItem<'password'>>

/** The values of these items. */
export interface ClientConfig {
  readonly endpoints: readonly string[]
  readonly username: string | undefined
  readonly password: Secret | undefined
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

/** What the driver needs of them. */
export interface ClientSettings {
  readonly endpoints: readonly string[]
  readonly credentials: ChannelCredentials
  readonly user: { readonly name: string; readonly password: Secret } | undefined
}

/**
 * @param name of the property of an item, for messages.
 * @returns the settings, or everything that is wrong.
 */
export function clientSettings(
  config: ClientConfig,
  name: (item: keyof ClientConfig) => string,
): ClientSettings | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const read = (item: 'caFile' | 'certFile' | 'keyFile'): Buffer | undefined => {
    const path = config[item]
    if (path === undefined) return undefined
    try {
      return readFileSync(path)
    } catch (error) {
      problems.push(`${name(item)} cannot be read: ${(error as Error).message}`)
      return undefined
    }
  }
  const [ca, cert, key] = [read('caFile'), read('certFile'), read('keyFile')]
  const { endpoints, username, password, certFile, keyFile } = config
  const user = username !== undefined && password !== undefined ? { name: username, password } : undefined
  if (user === undefined && (username ?? password) !== undefined) {
    problems.push(`${name('username')} and ${name('password')} must be given together`)
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    problems.push(`${name('certFile')} and ${name('keyFile')} must be given together`)
  }
  const schemes = new Set(endpoints.map((endpoint) => /^(https?):\/\//.exec(endpoint)?.[1]))
  const secure = schemes.has('https') || [config.caFile, certFile].some((file) => file !== undefined)
  if (secure && schemes.has('http')) problems.push(`${name('endpoints')} must all use TLS, or none`)
  if (problems.length > 0) return { problems }
  const addresses = endpoints.map(address)
  if (!secure) return { endpoints: addresses, credentials: credentials.createInsecure(), user }
  try {
    return { endpoints: addresses, credentials: credentials.createSsl(ca ?? null, key ?? null, cert ?? null), user }
  } catch (error) {
    return { problems: [`${name('caFile')}, ${name('certFile')}, ${name('keyFile')}: ${(error as Error).message}`] }
  }
}

/** `host:port` of an endpoint that was found right. */
function address(endpoint: string): string {
  const bare = endpoint.replace(/^https?:\/\//, '')
  return /:\d+$/.test(bare) ? bare : `${bare}:${DEFAULT_PORT}`
}

/** Of a property that must name a server. */
export function badEndpoints(endpoints: readonly string[]): string | undefined {
  return endpoints.length === 0 ? 'must name a server' : malformedEndpoints(endpoints)
}

function malformedEndpoints(endpoints: readonly string[]): string | undefined {
  const right = /^(https?:\/\/)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?$/
  return endpoints.every((endpoint) => right.test(endpoint)) ? undefined : 'must be a list of host:port'
}
