/** Cases R10 and R11: what a listener of a namespace is told. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { expectSetsDiffer, recordKeySets, staysQuiet, toldNames } from './registry-steps.ts'
import { calmParties } from './storage-clients.ts'
import { deleteAll, numbered, putAll } from './storage-steps.ts'

export const registryKeySets: readonly ConformanceCase[] = [
  { id: 'R10', title: 'a key set listener is told when the set has changed, and only then', run: changesOfTheSet },
  {
    id: 'R11',
    title: 'a burst of new and deleted keys ends in exactly the set that is there',
    run: burst,
    extraTtls: 15,
  },
]

async function changesOfTheSet(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const { storage } = writer
  const [names, below] = [recordKeySets(given), recordKeySets(given)]
  await reader.registry.addKeySetChangeListener('/a', names, { initial: true })
  await reader.registry.addKeySetChangeListener('/a/b', below, { initial: true })
  await toldNames(given, 'the empty set', names, [])
  await toldNames(given, 'the empty set', below, [])
  const sets: string[][] = [[]]
  const expectSet = async (what: string, ...set: string[]) => {
    sets.push(set)
    await toldNames(given, what, names, set)
  }

  await storage.put('/a/b', 'x')
  await expectSet('a new key', 'b')
  await storage.update('/a/b', 'y')
  await storage.put('/a/b/c', 'x')
  await toldNames(given, 'a key below the key', below, ['c'])
  await storage.put('/a/bc', 'x')
  await expectSet('a neighbour whose name begins alike', 'b', 'bc')
  await storage.put('/a/d/e/f', 'x')
  await expectSet('an implied child', 'b', 'bc', 'd')
  await storage.put('/a/d/e/g', 'x')
  await storage.delete('/a/b')
  await storage.put('/ab', 'x')
  await storage.put('/a', 'the namespace itself')
  await storage.delete('/a/bc')
  await expectSet('a deleted neighbour; /a/b is still implied', 'b', 'd')
  await storage.delete('/a/b/c')
  await expectSet('the end of the last key below /a/b', 'd')
  await toldNames(given, 'the same below /a/b', below, [])
  await storage.delete('/a/d/e/f')
  await storage.put('/a/h', '')
  await expectSet('a key with an empty value', 'd', 'h')
  await storage.delete('/a/d/e/g')
  await expectSet('the end of a whole subtree', 'h')
  await staysQuiet(given, 'a listener of /a', names)
  await staysQuiet(given, 'a listener of /a/b', below)
  expect(
    names.calls.map(({ names: set }) => set),
    'every set of /a that was told',
  ).to.deep.equal(sets)
  expect(
    below.calls.map(({ names: set }) => set),
    'every set of /a/b that was told',
  ).to.deep.equal([[], ['c'], []])
}

async function burst(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const keys = numbered('/burst', given.scale(2_000, 10_000))
  const [early, late] = [recordKeySets(given), recordKeySets(given)]
  await reader.registry.addKeySetChangeListener('/burst', early)
  const half = keys.slice(0, keys.length / 2)
  await putAll(given, writer.storage, half, 'x')
  await reader.registry.addKeySetChangeListener('/burst', late, { initial: true })
  await Promise.all([
    putAll(given, writer.storage, keys.slice(half.length), 'x'),
    deleteAll(
      given,
      writer.storage,
      half.filter((_, at) => at % 2 === 0),
    ),
  ])
  const left = keys.filter((_, at) => at >= half.length || at % 2 === 1).map((key) => key.slice('/burst/'.length))
  for (const recorder of [early, late]) {
    await toldNames(given, `the set of ${left.length} keys that are left`, recorder, left)
    await staysQuiet(given, 'after the burst', recorder)
    expectSetsDiffer(recorder)
  }
  await deleteAll(given, writer.storage, keys)
  for (const recorder of [early, late]) await toldNames(given, 'the empty set', recorder, [])
}
