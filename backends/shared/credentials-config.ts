/** What the properties of several backends say alike: who the client is, and the files of TLS. */
import { readFileSync } from 'node:fs'
import type { ConfigItem, Secret } from '../../spi/index.ts'

/** As it was configured; the name is for messages. */
export interface Property<Value> {
  readonly name: string
  readonly value: Value
}

export interface User {
  readonly name: string
  readonly password: Secret
}

/** Contents of PEM files. */
export interface TlsFiles {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

type TlsFileName<Plugin extends string> = `${Plugin}.tls.${keyof TlsFiles}.file`
export type TlsFileProperties = Readonly<Record<keyof TlsFiles, Property<string | undefined>>>

const TLS_FILE_DOCS: Readonly<Record<keyof TlsFiles, string>> = {
  ca: 'PEM file of the authorities that the servers’ certificates are checked against. Default: those of Node.',
  cert: 'PEM file of our own certificate, if the servers ask for one.',
  key: 'PEM file of the key of that certificate.',
}

/**
 * Items of a ConfigDef, for TLS towards the servers.
 * @param plugin what the names begin with: `plugin.etcd`.
 */
export function tlsFileItems<const Plugin extends string>(plugin: Plugin) {
  const item = (doc: string) => ({ type: 'string', default: null, doc }) as const satisfies ConfigItem<'string'>
  const items = Object.entries(TLS_FILE_DOCS).map(([file, doc]) => [`${plugin}.tls.${file}.file`, item(doc)])
  return Object.fromEntries(items) as Readonly<Record<TlsFileName<Plugin>, ReturnType<typeof item>>>
}

/** What these items were configured to. */
export function tlsFileProperties<const Plugin extends string>(
  plugin: Plugin,
  config: Readonly<Record<TlsFileName<Plugin>, string | undefined>>,
): TlsFileProperties {
  const property = propertyOf(config)
  return {
    ca: property(`${plugin}.tls.ca.file`),
    cert: property(`${plugin}.tls.cert.file`),
    key: property(`${plugin}.tls.key.file`),
  }
}

/** Looks up properties by name. */
export function propertyOf<Config>(config: Config) {
  return <Name extends keyof Config & string>(name: Name) => ({ name, value: config[name] })
}

/** @param problems gets what is wrong. */
export function userOf(
  username: Property<string | undefined>,
  password: Property<Secret | undefined>,
  problems: string[],
): User | undefined {
  bothOrNone(username, password, problems)
  if (username.value === undefined || password.value === undefined) return undefined
  return { name: username.value, password: password.value }
}

/** @param problems gets what is wrong. */
export function tlsFilesOf(files: TlsFileProperties, problems: string[]): TlsFiles {
  const [ca, cert, key] = [files.ca, files.cert, files.key].map((file) => contentOf(file, problems))
  bothOrNone(files.cert, files.key, problems)
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

function contentOf({ name, value: path }: Property<string | undefined>, problems: string[]): Buffer | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path)
  } catch (error) {
    problems.push(`${name} cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

function bothOrNone(a: Property<unknown>, b: Property<unknown>, problems: string[]): void {
  if ((a.value === undefined) !== (b.value === undefined)) {
    problems.push(`${a.name} and ${b.name} must be given together`)
  }
}
