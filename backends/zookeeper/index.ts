/** ZooKeeper as a backend: its configuration; the rest is the driver beside it. */
import { API_VERSION, parseConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'
import { CONFIG, settingsOf, type ZooKeeperConfig } from './config.ts'
import { openZooKeeperDriver } from './driver.ts'

/** `plugin.locator.classname` for ZooKeeper. */
export class ZooKeeperPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  static configProblems(config: ZooKeeperConfig): readonly string[] {
    const settings = settingsOf(config)
    return 'problems' in settings ? settings.problems : []
  }

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const settings = settingsOf(parseConfig(CONFIG, context.config))
    if ('problems' in settings) throw configError(settings.problems)
    return openZooKeeperDriver({ ...settings, context }, call)
  }
}
