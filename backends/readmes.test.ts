import { expect } from 'chai'
import { readFileSync, writeFileSync } from 'node:fs'
import { configTable } from '../spi/index.ts'
import { CassandraPluginLocator } from './cassandra/index.ts'
import { EtcdPluginLocator } from './etcd/index.ts'
import { KetaPluginLocator } from './keta/index.ts'
import { MemoryPluginLocator } from './memory/index.ts'
import { ZooKeeperPluginLocator } from './zookeeper/index.ts'

const LOCATORS = {
  cassandra: CassandraPluginLocator,
  etcd: EtcdPluginLocator,
  keta: KetaPluginLocator,
  memory: MemoryPluginLocator,
  zookeeper: ZooKeeperPluginLocator,
}
const TABLE = /^\| Property \| Type \| Default \| Meaning \|\n(\|.*\n)*/m

describe('the READMEs of the backends', () => {
  for (const [name, { configDef }] of Object.entries(LOCATORS)) {
    it(`show the properties of ${name} (UPDATE_GENERATED=1 writes them)`, () => {
      const readme = new URL(`${name}/README.md`, import.meta.url)
      const text = readFileSync(readme, 'utf8')
      expect(text).to.match(TABLE)
      const expected = text.replace(TABLE, () => configTable(configDef))
      if (process.env['UPDATE_GENERATED'] === '1') writeFileSync(readme, expected)
      else expect(text).to.equal(expected)
    })
  }
})
