/** A process that leads `killed` until it is killed: `leader-process.ts LOCATOR PROPERTIES-AS-JSON`. */
import { loadPlugin } from '../../spi/node/index.ts'
import { TTL_MS } from './takeover.ts'

const [locator = '', properties = '{}'] = process.argv.slice(2)
const server = { 'plugin.locator.classname': locator, 'plugin.session.timeout.ms': String(TTL_MS) }
const plugin = await loadPlugin(server, { config: JSON.parse(properties) as Record<string, string> })
const election = plugin.getLeaderElection('killed')
await election.nominate('a')
await election.awaitLeadership('a')
process.send?.('leading')
