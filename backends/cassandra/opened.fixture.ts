/** Drivers for tests, and the properties with which clients reach a test server. */
import { parseConfig, type PluginHost, pluginContext, silentLogger } from '../../spi/index.ts'
import type { CassandraCluster } from '../../test-servers/cassandra.ts'
import type { StoreDriver } from '../shared/driver.ts'
import { call, OpenDrivers } from '../shared/driver-calls.fixture.ts'
import { openCassandraDriver } from './driver.ts'
import { CONFIG, type Settings, settingsOf } from './settings.ts'

type Properties = Readonly<Record<string, string>>

const OPEN_MS = 20_000
/** A driver gives a conditional write half of it, and sends none twice. */
const SESSION_TIMEOUT_MS = 10_000

/** @param endpoints where clients reach the nodes, in their order; of several ways there the last is that to peers. */
export function propertiesOf({ nodes }: CassandraCluster, endpoints: readonly string[]): Properties {
  const addresses = nodes.map(({ endpoint }) => endpoint.split(':'))
  const ways = endpoints.slice(-nodes.length)
  return {
    'plugin.cassandra.contact.points': endpoints.join(','),
    'plugin.cassandra.port': addresses[0]?.[1] ?? '',
    'plugin.cassandra.address.map': ways.map((way, at) => `${addresses[at]?.[0] ?? ''}=${way}`).join(','),
    'plugin.cassandra.keyspace': 'conformance',
    'plugin.cassandra.replication': String(nodes.length),
  }
}

/** @throws Error for properties that are wrong. */
export function parseSettings(properties: Properties): Settings {
  const settings = settingsOf(parseConfig(CONFIG, properties))
  if ('problems' in settings) throw new Error(settings.problems.join('\n'))
  return settings
}

export class Drivers extends OpenDrivers {
  async open(properties: Properties, host?: PluginHost): Promise<StoreDriver> {
    const context = pluginContext({ sessionTimeoutMs: SESSION_TIMEOUT_MS, logger: silentLogger, ...host })
    return this.keep(openCassandraDriver(parseSettings(properties), context, call(OPEN_MS)))
  }
}
