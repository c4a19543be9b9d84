/** Cases R13 and R16: many listeners, and listeners as loops. */
import { expect } from 'chai'
import { keySets, type ListenerRegistry, values } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { expectValuesInOrder, recordValues, told, toldNames, recordKeySets } from './registry-steps.ts'
import { calmParties } from './storage-clients.ts'
import { failure, inParallel, numbered, patient } from './storage-steps.ts'

export const registryMany: readonly ConformanceCase[] = [
  { id: 'R13', title: 'hundreds of listeners, on one key and on as many keys, are all told', run: many, extraTtls: 10 },
  { id: 'R16', title: 'values() and keySets() show the latest state, and unsubscribe when left', run: loops },
]

async function many(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const count = given.scale(100, 500)
  const onOne = Array.from({ length: count }, () => recordValues(given))
  const keys = numbered('/many', count)
  const onMany = keys.map(() => recordValues(given))
  const { registry } = reader
  await inParallel(onOne, (recorder) => registry.addValueChangeListener('/one', recorder, patient(given)))
  await inParallel(keys, (key, at) => {
    return registry.addValueChangeListener(key, onMany[at] ?? recordValues(given), patient(given))
  })
  const first = await writer.storage.put('/one', 'first')
  const last = await writer.storage.update('/one', 'last')
  for (const recorder of onOne) {
    await told(given, 'a write, to one of many listeners of its key,', recorder, last)
    expectValuesInOrder(recorder, [first, last])
  }
  const versions = await inParallel(keys, (key) => writer.storage.put(key, key, patient(given)))
  for (const [at, recorder] of onMany.entries()) {
    await told(given, `the write of ${keys[at]}`, recorder, versions[at])
    expect(
      recorder.calls.map(({ text }) => text),
      `what the listener of ${keys[at]} is told`,
    ).to.deep.equal([keys[at]])
  }
  await inParallel(onOne.slice(1), (recorder) => registry.removeValueChangeListener('/one', recorder))
  const heard = onOne.map(({ calls }) => calls.length)
  const final = await writer.storage.update('/one', 'for the one that is left')
  const [left] = onOne
  if (left !== undefined) await told(given, 'a write, to the listener that is left,', left, final)
  expect(
    onOne.slice(1).map(({ calls }) => calls.length),
    'calls of those that were removed',
  ).to.deep.equal(heard.slice(1))
}

async function loops(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const registry = countSubscriptions(reader.registry)
  const beside = recordValues(given)
  await reader.registry.addValueChangeListener('/ns/k', beside)
  const { maxLagMs } = given.capabilities.notifications
  const texts: (string | undefined)[] = []
  for await (const entry of values(registry, '/ns/k')) {
    const turn = texts.push(entry?.text)
    if (entry?.text === '5') break
    // the loop is slow: meanwhile all of these are written, and it must go on with the last
    const written = entry === undefined ? [await writer.storage.put('/ns/k', '1')] : []
    const from = Number(entry?.text ?? 1)
    for (let value = from + 1; value <= 5; value++) written.push(await writer.storage.update('/ns/k', String(value)))
    if (written.length > 0) await told(given, 'the last write, to a listener beside the loop,', beside, written.at(-1))
    await given.always('the loop waits for its body', () => texts.length === turn, maxLagMs)
  }
  expect(texts, 'what a slow loop sees').to.deep.equal([undefined, '5'])
  expect(registry.subscribed, 'listeners that a loop left behind').to.equal(0)

  const sets: string[][] = []
  const besideNames = recordKeySets(given)
  await reader.registry.addKeySetChangeListener('/ns', besideNames)
  for await (const names of keySets(registry, '/ns')) {
    const turn = sets.push([...names].sort())
    if (names.size === 3) break
    await writer.storage.put('/ns/l', 'x')
    await writer.storage.put('/ns/m/n', 'x')
    await toldNames(given, 'the new keys, to a listener beside the loop,', besideNames, ['k', 'l', 'm'])
    await given.always('the loop waits for its body', () => sets.length === turn, maxLagMs)
  }
  expect(sets, 'what a slow loop over a key set sees').to.deep.equal([['k'], ['k', 'l', 'm']])
  expect(registry.subscribed, 'listeners that a loop over a key set left behind').to.equal(0)
  await abortedLoop(given, registry)
}

async function abortedLoop(given: Given, registry: CountedRegistry): Promise<void> {
  const abort = new AbortController()
  const reason = new Error('enough of this loop')
  let seen = 0
  const loop = async () => {
    for await (const _ of values(registry, '/ns/k', { signal: abort.signal })) {
      seen++
      setTimeout(() => abort.abort(reason), 1)
    }
  }
  expect(await failure('a loop that is aborted', loop()), 'why it ended').to.equal(reason)
  expect(seen, 'states that it saw').to.equal(1)
  await given.until('an aborted loop unsubscribes', () => registry.subscribed === 0)
}

interface CountedRegistry extends ListenerRegistry {
  readonly subscribed: number
}

/** The registry itself; only what is added to it and removed again is counted. */
function countSubscriptions(registry: ListenerRegistry): CountedRegistry {
  let subscribed = 0
  const counted: Partial<ListenerRegistry> = {
    async addValueChangeListener(...args) {
      await registry.addValueChangeListener(...args)
      subscribed++
    },
    async removeValueChangeListener(...args) {
      await registry.removeValueChangeListener(...args)
      subscribed--
    },
    async addKeySetChangeListener(...args) {
      await registry.addKeySetChangeListener(...args)
      subscribed++
    },
    async removeKeySetChangeListener(...args) {
      await registry.removeKeySetChangeListener(...args)
      subscribed--
    },
  }
  return new Proxy(registry, {
    get(target, name): unknown {
      if (name === 'subscribed') return subscribed
      if (name in counted) return counted[name as keyof ListenerRegistry]
      return Reflect.get(target, name, target)
    },
  }) as CountedRegistry
}
