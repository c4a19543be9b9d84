/**
 * The reference backend: the store that says what all others must do. In one process it needs nothing; served by
 * `serve.js` several processes share it.
 */
import { API_VERSION, defineConfig, parseConfig, type PluginContext } from '../../spi/index.ts'
import type { Call, StoreDriver } from '../shared/driver.ts'
import { AbstractPluginLocator } from '../shared/plugin-locator.ts'
import { storeOfThisProcess } from './access.ts'
import { MemoryDriver } from './memory-driver.ts'
import { connectServed } from './served-access.ts'

const CONFIG = defineConfig({
  'plugin.memory.endpoints': {
    type: 'list',
    default: '',
    doc: 'Where the store is served, `host:port`, tried in turn. Empty: a store within this process.',
  },
  'plugin.memory.name': { type: 'string', default: 'default', doc: 'Which of the stores within this process.' },
  'plugin.memory.password': { type: 'password', default: null, doc: 'Password of the served store, if it has one.' },
})

export class MemoryPluginLocator extends AbstractPluginLocator {
  static readonly apiVersion = API_VERSION
  static readonly configDef = CONFIG

  protected async connect(context: PluginContext, call: Call): Promise<StoreDriver> {
    const config = parseConfig(CONFIG, context.config)
    const endpoints = config['plugin.memory.endpoints']
    const password = config['plugin.memory.password']
    const access =
      endpoints.length === 0
        ? storeOfThisProcess(config['plugin.memory.name'], context.clock)
        : await connectServed({ endpoints, password }, context, call)
    return new MemoryDriver(access, context)
  }
}
