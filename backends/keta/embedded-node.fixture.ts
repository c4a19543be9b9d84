/** A process with an embedded server, started by the plugin: `embedded-node.fixture.ts <data dir> <listen url>`. */
import { KetaPluginLocator } from './index.ts'

const [dataDir = '', listen = ''] = process.argv.slice(2)
const locator = new KetaPluginLocator()
await locator.startup('plugin.properties', {
  clusterId: 'host of the embedded server',
  config: { 'plugin.keta.embedded': 'true', 'plugin.keta.data.dir': dataDir, 'plugin.keta.listen': listen },
})
process.once('SIGTERM', () => {
  locator.shutdown().catch(() => {
    process.exitCode = 1
  })
})
