/** A driver for each test, all on one real server; and what tests do with it. */
import { setTimeout as delay } from 'node:timers/promises'
import { openLink } from '../../conformance/kit/proxied-link.ts'
import type { Link } from '../../conformance/kit/link.ts'
import { isCoordinationError } from '../../spi/index.ts'
import { provideOrSkip, type TestServer } from '../../test-servers/server.ts'
import { ensureZooKeeper, startZooKeeper, type ZooKeeperEnsemble } from '../../test-servers/zookeeper.ts'
import type { KeyChange, StoreDriver } from '../shared/driver.ts'
import { call } from '../shared/driver-calls.fixture.ts'
import { visit, type Visitor } from './foreign-client.fixture.ts'
import { SESSION_TTL_MS, TICK_MS } from './harness.fixture.ts'
import { Layout } from './layout.ts'
import { Drivers } from './opened.fixture.ts'

export class Stage {
  readonly drivers = new Drivers()
  #ensemble: ZooKeeperEnsemble | undefined
  #driver: StoreDriver | undefined
  #clusters = 0

  get server(): TestServer {
    const [server] = this.#ensemble?.servers ?? []
    if (server === undefined) throw new Error('no server')
    return server
  }

  get driver(): StoreDriver {
    if (this.#driver === undefined) throw new Error('no driver')
    return this.#driver
  }

  /** Another one for each test. */
  get clusterId(): string {
    return `cluster ${this.#clusters}`
  }

  get layout(): Layout {
    return new Layout('', this.clusterId)
  }

  /** Makes the hooks of the suite. */
  prepare(): void {
    const start = async () => {
      this.#ensemble = await startZooKeeper({ tickMs: TICK_MS })
    }
    before(async function () {
      await provideOrSkip(this, ensureZooKeeper)
      await start()
    })
    beforeEach(async () => {
      this.#clusters++
      this.#driver = await this.open()
    })
    afterEach(() => this.drivers.close())
    after(() => this.#ensemble?.stop())
  }

  another(): Promise<StoreDriver> {
    return this.open()
  }

  /** Another driver of the same cluster. */
  open(...endpoints: readonly string[]): Promise<StoreDriver> {
    return this.drivers.open(endpoints.length > 0 ? endpoints : [this.server.endpoint], {
      host: { clusterId: this.clusterId },
    })
  }

  /** Another driver of the same cluster, with a network between it and the server. */
  async apart(): Promise<{ readonly link: Link; readonly far: StoreDriver }> {
    const link = await openLink([this.server.endpoint], () => 0.5)
    return { link, far: await this.open(...link.endpoints) }
  }

  async session(of = this.driver): Promise<string> {
    return (await of.openSession(SESSION_TTL_MS, call())).id
  }

  /** Looks past our code. */
  seen<T>(work: (visitor: Visitor) => Promise<T>): Promise<T> {
    return visit(this.server.endpoint, work)
  }
}

export function removal(key: string): KeyChange {
  return { key, expect: 'anything', become: 'absent' }
}

const LACKING: ReadonlySet<string> = new Set(['CONNECTION', 'TIMEOUT'])

/** Again and again while it fails for want of a connection. */
export async function persistent<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    try {
      return await ask()
    } catch (error) {
      if (left === 0 || !isCoordinationError(error) || !LACKING.has(error.code)) throw error
      await delay(10)
    }
  }
}
