/** The backends that are measured: how each is started, and how its driver does the same thing without the SPI. */
import { Etcd3 } from 'etcd3'
import { startEtcd } from '../../test-servers/etcd.ts'
import { startKeta } from '../../test-servers/keta.ts'
import type { TestServer } from '../../test-servers/server.ts'

export interface Subject {
  readonly name: string
  /** `plugin.locator.classname`, and the contents of `plugin.configuration.file`. */
  readonly locator: string
  readonly properties: Readonly<Record<string, string>>
  /** undefined for a backend without a driver below it. */
  readonly raw: RawDriver | undefined
  stop(): Promise<void>
}

/** What a broker would write if there were no SPI: the same promises, no more. */
export interface RawDriver {
  /** Creates a key unless it exists. */
  create(key: string, value: string): Promise<void>
  /** Compare-and-set in a loop of one: returns the new version. */
  replace(key: string, value: string, version: string): Promise<string>
  read(key: string): Promise<string | undefined>
}

export const SUBJECTS: Readonly<Record<string, () => Promise<Subject>>> = {
  memory: () =>
    Promise.resolve({
      name: 'memory',
      locator: 'memory',
      properties: {},
      raw: undefined,
      stop: () => Promise.resolve(),
    }),
  etcd: async () => speaksEtcd('etcd', await startEtcd()),
  keta: async () => speaksEtcd('keta', await startKeta()),
}

function speaksEtcd(name: string, server: TestServer): Subject {
  const raw = rawEtcd(server.endpoint)
  return {
    name,
    locator: name,
    properties: { [`plugin.${name}.endpoints`]: server.endpoint },
    raw,
    stop: async () => {
      raw.close()
      await server.stop()
    },
  }
}

function rawEtcd(endpoint: string): RawDriver & { close(): void } {
  const client = new Etcd3({ hosts: `http://${endpoint}` })
  return {
    async create(key, value) {
      const { succeeded } = await client.if(key, 'Create', '==', 0).then(client.put(key).value(value)).commit()
      if (!succeeded) throw new Error(`${key} exists`)
    },
    async replace(key, value, version) {
      const { succeeded, header } = await client
        .if(key, 'Mod', '==', Number(version))
        .then(client.put(key).value(value))
        .commit()
      if (!succeeded) throw new Error(`${key} has changed`)
      return header.revision
    },
    async read(key) {
      const { kvs } = await client.get(key).exec()
      return kvs[0]?.mod_revision
    },
    close: () => client.close(),
  }
}
