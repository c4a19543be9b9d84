/** etcd as a backend: its configuration; the rest is the driver in backends/shared/etcd-v3. */
import { API_VERSION, checkConfig, defineConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { CLIENT_ITEMS, type ClientConfig, clientSettings } from '../shared/etcd-v3/config.ts'
import { openEtcdDriver } from '../shared/etcd-v3/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'

const CONFIG = defineConfig({
  'plugin.etcd.endpoints': CLIENT_ITEMS.endpoints,
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

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const { valid, problems } = checkConfig(CONFIG, context.config)
    const endpoints = valid['plugin.etcd.endpoints'] ?? []
    const settings = clientSettings(
      {
        endpoints,
        username: valid['plugin.etcd.username'],
        password: valid['plugin.etcd.password'],
        caFile: valid['plugin.etcd.tls.ca.file'],
        certFile: valid['plugin.etcd.tls.cert.file'],
        keyFile: valid['plugin.etcd.tls.key.file'],
      },
      (item) => NAMES[item],
    )
    const all = [...problems, ...('problems' in settings ? settings.problems : [])]
    if (problems.length === 0 && endpoints.length === 0) all.push(`${NAMES.endpoints} must name a server`)
    if (all.length > 0 || 'problems' in settings) throw configError(all)
    const prefix = valid['plugin.etcd.prefix'] ?? ''
    return openEtcdDriver({ ...settings, backend: 'etcd', context, prefix }, call)
  }
}
