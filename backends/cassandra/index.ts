/** Cassandra as a backend: its configuration; see README.md. */
import { API_VERSION, parseConfig, type PluginContext } from '../../spi/index.ts'
import { configError } from '../../spi/config/parse-config.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'
import { openCassandraDriver } from './driver.ts'
import { type Config, CONFIG, settingsOf } from './settings.ts'

/** `plugin.locator.classname` for Cassandra. */
export class CassandraPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  static configProblems(config: Config): readonly string[] {
    const settings = settingsOf(config)
    return 'problems' in settings ? settings.problems : []
  }

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const settings = settingsOf(parseConfig(CONFIG, context.config))
    if ('problems' in settings) throw configError(settings.problems)
    return openCassandraDriver(settings, context, call)
  }
}
