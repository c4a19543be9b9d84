/** What one entry of the option table says. */
import type { ValueKind } from './values.ts'

/** What stands for the value of a secret wherever settings are printed. */
export const MASK = '***'

export type Section =
  | 'Member'
  | 'Limits'
  | 'Storage'
  | 'Watch'
  | 'HTTP'
  | 'Cluster'
  | 'TLS with clients'
  | 'TLS between nodes'
  | 'Kafka'
  | 'Security of the connection to Kafka'
  | 'Users'
  | 'Logging'
  | 'Shutdown'

export interface Option<T> {
  /** The name on the command line and in files; KETA_ and the name in capitals in the environment. */
  readonly flag: string
  readonly section: Section
  readonly kind: ValueKind<T>
  /** Text as a user would write it. `${flag}` stands for the value of an option that precedes this one. */
  readonly default: string
  /** What an empty default means, in words. */
  readonly defaultMeans?: string
  /** The default where a .properties file is given, if Java Keta's differs or is written in another way. */
  readonly propertiesDefault?: string
  /** One or two sentences. They stand in the sample files too. */
  readonly help: string
  /** etcd has an option of this name and meaning: ETCD_… is read too if KETA_… is not set. */
  readonly sameAsEtcd: boolean
  /** Older names that etcd still takes on the command line. */
  readonly flagAliases?: readonly string[]
  /** Its place in etcd's configuration file, if that is not its flag: `client-transport-security.cert-file`. */
  readonly etcdKey?: string
  /** Java Keta's name for it in a .properties file. A `*` at its end stands for the name of an entry of a map. */
  readonly property?: string
  /** On the command line it takes no value of its own, as etcd's: `--flag`, or `--flag=false`. */
  readonly isSwitch?: boolean
  /** Its value is never printed. */
  readonly secret?: boolean
  /** What to tell whoever wrote this text, though it is a value: that another one is taken for it. */
  readonly remark?: (text: string) => string | undefined
}

/** Keeps the type of the value. */
export function option<T>(definition: Option<T>): Option<T> {
  return definition
}

/** Its name in a .properties file: Java Keta's, if there is one that stands for the whole value. */
export function propertyName({ flag, property }: Option<unknown>): string {
  return property === undefined || property.endsWith('*') ? flag : property
}
