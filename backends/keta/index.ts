/** Keta as a backend: servers of its own, or one within this process. Its API is etcd's, and so is the driver. */
import type { KetaOptions } from '../../keta/index.ts'
import { API_VERSION, type ConfigValues, defineConfig, parseConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import { propertyOf, tlsFileItems, tlsFileProperties } from '../shared/credentials-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { CLIENT_ITEMS, type ClientSettings, clientSettings } from '../shared/etcd-v3/config.ts'
import { openEtcdDriver } from '../shared/etcd-v3/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'
import { embeddedOptions, startEmbedded } from './embedded.ts'

const CONFIG = defineConfig({
  'plugin.keta.endpoints': { ...CLIENT_ITEMS.endpoints, default: '' },
  'plugin.keta.prefix': CLIENT_ITEMS.prefix,
  'plugin.keta.username': CLIENT_ITEMS.username,
  'plugin.keta.password': CLIENT_ITEMS.password,
  ...tlsFileItems('plugin.keta'),
  'plugin.keta.embedded': {
    type: 'bool',
    default: 'false',
    doc: 'Runs the server within this process instead of connecting to others; it ends with the plugin.',
  },
  'plugin.keta.data.dir': {
    type: 'string',
    default: null,
    doc: 'Where the embedded server keeps its data; required with `plugin.keta.embedded`.',
  },
  'plugin.keta.listen': {
    type: 'list',
    default: 'http://127.0.0.1:2379',
    doc: 'Where the embedded server listens for other brokers. Port 0 is any free port.',
  },
  'plugin.keta.advertise': {
    type: 'list',
    default: '',
    doc: 'Where the other nodes of a cluster reach the embedded server, `http://host:port`. Default: where it listens.',
  },
  'plugin.keta.kafka.bootstrap.servers': {
    type: 'list',
    default: '',
    doc: 'Kafka brokers, `host:port`, that keep the log of the embedded server. Default: its log lies in its data.dir.',
  },
  'plugin.keta.kafka.topic': {
    type: 'string',
    default: null,
    doc: 'The topic of that log. Default: `_keta_log`.',
  },
  'plugin.keta.cluster.group.id': {
    type: 'string',
    default: null,
    doc: 'The Kafka group in which the embedded servers of one cluster find each other. Default: `keta`.',
  },
  'plugin.keta.kafka.sasl.password': {
    type: 'password',
    default: null,
    doc: 'The password for that Kafka. How it is used, and by whom, is said in `plugin.keta.server.options`.',
  },
  'plugin.keta.kafka.ssl.ca.password': secretOf('kafka-ssl-ca-file'),
  'plugin.keta.kafka.ssl.cert.password': secretOf('kafka-ssl-cert-file'),
  'plugin.keta.kafka.ssl.key.password': secretOf('kafka-ssl-key-file'),
  'plugin.keta.server.options': {
    type: 'list',
    default: '',
    doc: 'Further options of the embedded server, as in its own configuration: `snapshot-log-bytes=16MiB`.',
  },
})

function secretOf(option: string) {
  return {
    type: 'password',
    default: null,
    doc: `The password of the file of the server's option \`${option}\`.`,
  } as const
}

/** `plugin.locator.classname` for keta. */
export class KetaPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  static configProblems(config: ConfigValues<typeof CONFIG>): readonly string[] {
    const settings = settingsOf(config)
    return 'problems' in settings ? settings.problems : []
  }

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const settings = settingsOf(parseConfig(CONFIG, context.config))
    if ('problems' in settings) throw configError(settings.problems)
    const { client, server, prefix } = settings
    const options = { ...client, backend: 'keta', context, prefix }
    if (server === undefined) return openEtcdDriver(options, call)
    const node = await startEmbedded(server, context.logger, call.signal)
    return openEtcdDriver({ ...options, endpoints: node.endpoints, release: () => node.stop() }, call)
  }
}

interface Settings {
  readonly client: ClientSettings
  /** Of the server within this process, if there is to be one. */
  readonly server: KetaOptions | undefined
  readonly prefix: string
}

function settingsOf(config: ConfigValues<typeof CONFIG>): Settings | { readonly problems: readonly string[] } {
  const endpoints = config['plugin.keta.endpoints']
  const embedded = config['plugin.keta.embedded']
  const property = propertyOf(config)
  const client = clientSettings({
    endpoints: property('plugin.keta.endpoints'),
    username: property('plugin.keta.username'),
    password: property('plugin.keta.password'),
    tlsFiles: tlsFileProperties('plugin.keta', config),
  })
  const server = embedded
    ? embeddedOptions({
        dataDir: config['plugin.keta.data.dir'],
        listenClientUrls: config['plugin.keta.listen'],
        advertiseClientUrls: config['plugin.keta.advertise'],
        kafkaBootstrapServers: config['plugin.keta.kafka.bootstrap.servers'],
        kafkaTopic: config['plugin.keta.kafka.topic'],
        clusterGroupId: config['plugin.keta.cluster.group.id'],
        kafkaSaslPassword: config['plugin.keta.kafka.sasl.password'],
        kafkaSslCaPassword: config['plugin.keta.kafka.ssl.ca.password'],
        kafkaSslCertPassword: config['plugin.keta.kafka.ssl.cert.password'],
        kafkaSslKeyPassword: config['plugin.keta.kafka.ssl.key.password'],
        further: config['plugin.keta.server.options'],
      })
    : undefined
  const problems = 'problems' in client ? [...client.problems] : []
  if (embedded && endpoints.length > 0) {
    problems.push('plugin.keta.endpoints and plugin.keta.embedded exclude each other')
  }
  if (!embedded && endpoints.length === 0) {
    problems.push('plugin.keta.endpoints must name a server, or plugin.keta.embedded be true')
  }
  if (server !== undefined && 'problems' in server) return { problems: [...problems, ...server.problems] }
  if (problems.length > 0 || 'problems' in client) return { problems }
  return { client, server, prefix: config['plugin.keta.prefix'] }
}
