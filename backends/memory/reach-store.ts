/** From the plugin's properties to a store: one within this process, or one that is served. */
import { defineConfig, parseConfig, type PluginContext } from '../../spi/index.ts'
import type { Call } from '../shared/driver.ts'
import { type StoreAccess, storeOfThisProcess } from './access.ts'
import { connectServed } from './served-access.ts'

export const MEMORY_CONFIG = defineConfig({
  'plugin.memory.endpoints': {
    type: 'list',
    default: '',
    doc: 'Where the store is served, `host:port`, tried in turn. Empty: a store within this process.',
    validate: (endpoints) => (endpoints.every(isEndpoint) ? undefined : 'must be a list of host:port'),
  },
  'plugin.memory.name': { type: 'string', default: 'default', doc: 'Which of the stores within this process.' },
  'plugin.memory.password': { type: 'password', default: null, doc: 'Password of the served store, if it has one.' },
})

/** @throws CoordinationError CONNECTION, TIMEOUT, AUTHENTICATION */
export async function reachStore(context: PluginContext, call: Call): Promise<StoreAccess> {
  const config = parseConfig(MEMORY_CONFIG, context.config)
  const endpoints = config['plugin.memory.endpoints']
  const password = config['plugin.memory.password']
  if (endpoints.length === 0) return storeOfThisProcess(config['plugin.memory.name'], context.clock)
  return connectServed({ endpoints, password }, context, call)
}

function isEndpoint(text: string): boolean {
  const port = /^.+:(\d{1,5})$/.exec(text)?.[1]
  return port !== undefined && Number(port) > 0 && Number(port) < 65_536
}
