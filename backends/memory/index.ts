/**
 * The reference backend: the store that says what all others must do. In one process it needs nothing; served by
 * `serve.js` several processes share it.
 */
import { API_VERSION, type PluginContext } from '../../spi/index.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'
import { MemoryDriver } from './memory-driver.ts'
import { MEMORY_CONFIG, reachStore } from './reach-store.ts'

export class MemoryPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = MEMORY_CONFIG

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    return new MemoryDriver(await reachStore(context, call), context)
  }
}
