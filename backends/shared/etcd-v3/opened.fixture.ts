/** Drivers for tests. */
import { credentials } from '@grpc/grpc-js'
import { type PluginHost, pluginContext, silentLogger } from '../../../spi/index.ts'
import type { StoreDriver } from '../driver.ts'
import { call, OpenDrivers } from '../driver-calls.fixture.ts'
import { type EtcdDriverOptions, openEtcdDriver } from './driver.ts'
import { SESSION_TTL_MS } from './promises.fixture.ts'

/** An opening takes all of it where nobody is. */
const OPEN_MS = 2000

export interface OpenOptions {
  readonly host?: PluginHost
  readonly user?: EtcdDriverOptions['user']
  readonly prefix?: string
}

export class Drivers extends OpenDrivers {
  async open(endpoints: readonly string[], { host, user, prefix = '' }: OpenOptions = {}): Promise<StoreDriver> {
    const context = pluginContext({
      sessionTimeoutMs: SESSION_TTL_MS,
      logger: silentLogger,
      // begins with the first endpoint
      random: () => 0,
      ...host,
    })
    const options = { backend: 'etcd', endpoints, credentials: credentials.createInsecure(), user, context, prefix }
    return this.keep(openEtcdDriver(options, call(OPEN_MS)))
  }
}
