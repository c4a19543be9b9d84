/** A client in this process, loaded as a broker would load it. */
import type { PluginHost, PluginLocator } from '../../spi/index.ts'
import { loadPlugin } from '../../spi/node/index.ts'
import { logLine } from './agent-listeners.ts'
import type { Link } from './link.ts'
import type { Party } from './party.ts'

/** What a start may take where nothing is wrong but the machine is busy. Milliseconds. */
export const STARTUP_MS = 20_000

export interface StartedLocal extends Party {
  /** Shuts it down. @returns what was wrong with that. */
  close(limitMs: number): Promise<readonly string[]>
}

export interface LocalSetup {
  readonly name: string
  readonly link: Link
  /** server.properties. */
  readonly server: Readonly<Record<string, string>>
  readonly host: PluginHost
  readonly group: string
  readonly service: string
}

export async function startLocalParty({ name, link, server, host, group, service }: LocalSetup): Promise<StartedLocal> {
  const logged: string[] = []
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: object) => {
    logged.push(logLine(level, message, fields))
    host.logger?.[level](message, fields)
  }
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const locator = await loadPlugin(server, { ...host, logger }, { timeoutMs: STARTUP_MS })
  return {
    name,
    locator,
    link,
    logged,
    storage: locator.getStorage(),
    registry: locator.getListenerRegistry(),
    get session() {
      return locator.session
    },
    group: (other = group) => locator.getGroupMembership(other),
    election: (other = service) => locator.getLeaderElection(other),
    close: (limitMs) => closeLocator(name, locator, limitMs),
  }
}

async function closeLocator(name: string, locator: PluginLocator, limitMs: number): Promise<readonly string[]> {
  const late = Symbol('late')
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<symbol>((resolve) => {
    timer = setTimeout(() => resolve(late), limitMs)
  })
  try {
    const winner = await Promise.race([locator.shutdown(), limit])
    return winner === late ? [`${name}: shutdown has not come to an end within ${limitMs} ms`] : []
  } catch (error) {
    return [`${name}: shutdown, which must never reject, did: ${String(error)}`]
  } finally {
    clearTimeout(timer)
  }
}
