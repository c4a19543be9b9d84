/** Drivers for tests on a real server. */
import { type PluginHost, pluginContext, Secret, silentLogger } from '../../spi/index.ts'
import type { StoreDriver } from '../shared/driver.ts'
import { call, OpenDrivers } from '../shared/driver-calls.fixture.ts'
import { openZooKeeperDriver } from './driver.ts'
import { SESSION_TTL_MS } from './harness.fixture.ts'
import type { Tls } from './connection/socket.ts'

export interface OpenOptions {
  readonly host?: PluginHost
  /** `user:password`. */
  readonly digest?: string
  readonly chroot?: string
  readonly tls?: Tls
}

export class Drivers extends OpenDrivers {
  async open(addresses: readonly string[], { host, digest, chroot = '', tls }: OpenOptions = {}): Promise<StoreDriver> {
    const context = pluginContext({
      sessionTimeoutMs: SESSION_TTL_MS,
      logger: silentLogger,
      // begins with the first endpoint
      random: () => 0,
      ...host,
    })
    const endpoints = addresses.map((address) => {
      const [host = '', port] = address.split(':')
      return { host, port: Number(port) }
    })
    const options = { endpoints, tls, digest: digest === undefined ? undefined : new Secret(digest), chroot, context }
    return this.keep(openZooKeeperDriver({ ...options, tickMs: undefined }, call(5000)))
  }
}
