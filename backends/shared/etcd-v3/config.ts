/** The properties by which a client finds its servers and shows who it is; the same for etcd and for keta. */
import { credentials, type ChannelCredentials } from '@grpc/grpc-js'
import type { ConfigItem, Secret } from '../../../spi/index.ts'
import { type Property, type TlsFileProperties, tlsFilesOf, type User, userOf } from '../credentials-config.ts'

const DEFAULT_PORT = '2379'

/** Items of a ConfigDef, beside those of the files of TLS. */
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
} as const satisfies Record<string, ConfigItem<'list'> | ConfigItem<'string'> | ConfigItem<'password'>>

/** What was configured. */
export interface ClientConfig {
  readonly endpoints: Property<readonly string[]>
  readonly username: Property<string | undefined>
  readonly password: Property<Secret | undefined>
  readonly tlsFiles: TlsFileProperties
}

/** What the driver needs of them. */
export interface ClientSettings {
  readonly endpoints: readonly string[]
  readonly credentials: ChannelCredentials
  readonly user: User | undefined
}

/** @returns the settings, or everything that is wrong. */
export function clientSettings({
  endpoints: { name, value: endpoints },
  username,
  password,
  tlsFiles,
}: ClientConfig): ClientSettings | { readonly problems: readonly string[] } {
  const problems: string[] = []
  const user = userOf(username, password, problems)
  const { ca, cert, key } = tlsFilesOf(tlsFiles, problems)
  const schemes = new Set(endpoints.map((endpoint) => /^(https?):\/\//.exec(endpoint)?.[1]))
  const secure = schemes.has('https') || [tlsFiles.ca, tlsFiles.cert].some(({ value }) => value !== undefined)
  if (secure && schemes.has('http')) problems.push(`${name} must all use TLS, or none`)
  if (problems.length > 0) return { problems }
  const addresses = endpoints.map(address)
  if (!secure) return { endpoints: addresses, credentials: credentials.createInsecure(), user }
  try {
    return { endpoints: addresses, credentials: credentials.createSsl(ca ?? null, key ?? null, cert ?? null), user }
  } catch (error) {
    const names = Object.values(tlsFiles).map((file) => file.name)
    return { problems: [`${names.join(', ')}: ${(error as Error).message}`] }
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
