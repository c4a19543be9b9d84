/** etcd as a backend: its configuration; the rest is the driver in backends/shared/etcd-v3. */
import { API_VERSION, type ConfigValues, defineConfig, parseConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import { propertyOf, tlsFileItems, tlsFileProperties } from '../shared/credentials-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { badEndpoints, CLIENT_ITEMS, clientSettings } from '../shared/etcd-v3/config.ts'
import { openEtcdDriver } from '../shared/etcd-v3/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'

const CONFIG = defineConfig({
  'plugin.etcd.endpoints': { ...CLIENT_ITEMS.endpoints, validate: badEndpoints },
  'plugin.etcd.prefix': CLIENT_ITEMS.prefix,
  'plugin.etcd.username': CLIENT_ITEMS.username,
  'plugin.etcd.password': CLIENT_ITEMS.password,
  ...tlsFileItems('plugin.etcd'),
})

/** `plugin.locator.classname` for etcd. */
export class EtcdPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  static configProblems(config: ConfigValues<typeof CONFIG>): readonly string[] {
    const settings = settingsOf(config)
    return 'problems' in settings ? settings.problems : []
  }

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const config = parseConfig(CONFIG, context.config)
    const settings = settingsOf(config)
    if ('problems' in settings) throw configError(settings.problems)
    return openEtcdDriver({ ...settings, backend: 'etcd', context, prefix: config['plugin.etcd.prefix'] }, call)
  }
}

function settingsOf(config: ConfigValues<typeof CONFIG>): ReturnType<typeof clientSettings> {
  const property = propertyOf(config)
  return clientSettings({
    endpoints: property('plugin.etcd.endpoints'),
    username: property('plugin.etcd.username'),
    password: property('plugin.etcd.password'),
    tlsFiles: tlsFileProperties('plugin.etcd', config),
  })
}
