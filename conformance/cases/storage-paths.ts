/** Cases S11 and S12: keys as paths whose parents are implied. */
import { expect } from 'chai'
import type { Storage } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParty } from './storage-clients.ts'
import { collect, expectValue } from './storage-steps.ts'

export const storagePaths: readonly ConformanceCase[] = [
  { id: 'S11', title: 'a namespace ends at a slash: /a/b is not confused with /a/bc', run: prefixes },
  { id: 'S12', title: 'parents appear with their first descendant and vanish with the last', run: impliedParents },
]

async function prefixes(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  for (const key of ['/a/b', '/a/bc', '/a/b0', '/a/b/c', '/a/b!', '/a/b-c', '/ab/x', '/a.b'])
    await storage.put(key, key)
  await expectNames(storage, '/a', ['b', 'b!', 'b-c', 'b0', 'bc'])
  await expectNames(storage, '/a/b', ['c'])
  await expectNames(storage, '/a/b/c', [])
  await expectNames(storage, '/', ['a', 'a.b', 'ab'])
  await expectKeys(storage, '/a/b', ['/a/b/c'])
  await expectKeys(storage, '/a', ['/a/b', '/a/b!', '/a/b-c', '/a/b/c', '/a/b0', '/a/bc'])
  await expectKeys(storage, '/', ['/a.b', '/a/b', '/a/b!', '/a/b-c', '/a/b/c', '/a/b0', '/a/bc', '/ab/x'])
  await storage.update('/a/b', 'new')
  await expectValue(storage, '/a/b/c', '/a/b/c')
  expect(await storage.delete('/a/b'), 'delete of a key with children').to.equal(true)
  await expectValue(storage, '/a/b', undefined)
  await expectValue(storage, '/a/b/c', '/a/b/c')
  await expectValue(storage, '/a/bc', '/a/bc')
  await expectNames(storage, '/a', ['b', 'b!', 'b-c', 'b0', 'bc'])
  expect(await storage.delete('/a/b'), 'delete of what is only implied').to.equal(false)
  await storage.put('/a/b', 'again')
  expect(await storage.delete('/a/b/c'), 'delete of a child').to.equal(true)
  await expectValue(storage, '/a/b', 'again')
  await expectNames(storage, '/a/b', [])
}

async function impliedParents(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const other = await calmParty(given, 'B')
  await expectNames(storage, '/', [])
  await expectNames(storage, '/absent/namespace', [])
  await expectKeys(storage, '/absent/namespace', [])
  await storage.put('/x/y/z/one', '1')
  await storage.put('/x/y/z/two', '2')
  await storage.put('/x/w', '')
  for (const reader of [storage, other.storage]) {
    await expectNames(reader, '/', ['x'])
    await expectNames(reader, '/x', ['w', 'y'])
    await expectNames(reader, '/x/y', ['z'])
    await expectNames(reader, '/x/y/z', ['one', 'two'])
    await expectValue(reader, '/x', undefined)
    await expectValue(reader, '/x/y', undefined)
  }
  await storage.delete('/x/y/z/one')
  await expectNames(other.storage, '/x', ['w', 'y'])
  await storage.delete('/x/y/z/two')
  await expectNames(other.storage, '/x', ['w'])
  await expectNames(other.storage, '/x/y/z', [])
  await storage.delete('/x/w')
  await expectNames(other.storage, '/', [])
  await expectKeys(other.storage, '/', [])
}

async function expectNames(storage: Storage, namespace: string, names: readonly string[]): Promise<void> {
  expect([...(await storage.list(namespace))].sort(), `what ${namespace} lists`).to.deep.equal(names)
}

async function expectKeys(storage: Storage, namespace: string, keys: readonly string[]): Promise<void> {
  const entries = await collect(storage.scan(namespace))
  expect(
    entries.map(({ key }) => key),
    `the keys of a scan of ${namespace}`,
  ).to.deep.equal(keys)
}
