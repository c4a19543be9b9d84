/** etcd as a backend: its configuration; the rest is the driver in backends/shared/etcd-v3. */
import { API_VERSION, type ConfigValues, defineConfig, parseConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { badEndpoints, CLIENT_ITEMS, type ClientConfig, clientSettings } from '../shared/etcd-v3/config.ts'
import { openEtcdDriver } from '../shared/etcd-v3/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'

const CONFIG = defineConfig({
  'plugin.etcd.endpoints': { ...CLIENT_ITEMS.endpoints, validate: badEndpoints },
  'plugin.etcd.prefix': CLIENT_ITEMS.prefix,
  'plugin.etcd.username': CLIENT_ITEMS.username,
  'plugin.etcd.password': CLIENT_ITEMS.password,
  'plugin.etcd.tls.ca.file': CLIENT_ITEMS.caFile,
  'plugin.etcd.tls.cert.file': CLIENT_ITEMS.certFile,
  'plugin.etcd.tls.key.file': CLIENT_ITEMS.keyFile,
})

const NAMES: Readonly<Record<keyof ClientConfig, keyof typeof CONFIG>> = {
  endpoints: 'plugin.etcd.endpoints',
  username: 'plugin.etcd.username',
  password: 'plugin.etcd.password',
  caFile: 'plugin.etcd.tls.ca.file',
  certFile: 'plugin.etcd.tls.cert.file',
  keyFile: 'plugin.etcd.tls.key.file',
}

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
  return clientSettings(
    {
      endpoints: config['plugin.etcd.endpoints'],
      username: config['plugin.etcd.username'],
      password: config['plugin.etcd.password'],
      caFile: config['plugin.etcd.tls.ca.file'],
      certFile: config['plugin.etcd.tls.cert.file'],
      keyFile: config['plugin.etcd.tls.key.file'],
    },
    (item) => NAMES[item],
  )
}
