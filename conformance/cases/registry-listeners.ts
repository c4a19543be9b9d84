/** Cases R4–R7: how listeners are called, and when no longer. */
import { expect } from 'chai'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import {
  expectSetsDiffer,
  expectValuesInOrder,
  makeGate,
  recordKeySets,
  recordValues,
  staysQuiet,
  told,
  toldNames,
} from './registry-steps.ts'
import { calmParties } from './storage-clients.ts'

export const registryListeners: readonly ConformanceCase[] = [
  { id: 'R4', title: 'a slow listener is called serially, and next with the newest state', run: slowListener },
  {
    id: 'R5',
    title: 'a listener that throws or rejects is logged, and hurts neither itself nor others',
    run: throwing,
  },
  { id: 'R6', title: 'a listener counts once for each thing that it was added to', run: counting },
  { id: 'R7', title: 'after remove a listener is silent; listeners may do anything in their calls', run: removing },
]

async function slowListener(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const written = [await writer.storage.put('/ns/k', '0')]
  const [valueGate, keySetGate] = [makeGate(given), makeGate(given)]
  const values = recordValues(given, (_, number) => (number === 0 ? valueGate.passed : undefined))
  const keySets = recordKeySets(given, (_, number) => (number === 0 ? keySetGate.passed : undefined))
  const quick = recordValues(given)
  await reader.registry.addValueChangeListener('/ns/k', values, { initial: true })
  await reader.registry.addKeySetChangeListener('/ns', keySets, { initial: true })
  await reader.registry.addValueChangeListener('/ns/k', quick)
  await given.until('both slow listeners are in their first call', () => {
    return values.calls.length === 1 && keySets.calls.length === 1
  })
  const count = given.scale(20, 100)
  while (written.length <= count) {
    written.push(await writer.storage.update('/ns/k', String(written.length)))
    await writer.storage.put(`/ns/${written.length}`, 'x')
  }
  await told(given, 'the last update, to a listener beside the slow one,', quick, written.at(-1))
  await staysQuiet(given, 'a listener of a key whose call has not ended', values)
  await staysQuiet(given, 'a listener of a key set whose call has not ended', keySets)
  valueGate.open()
  keySetGate.open()
  await told(given, 'the newest state', values, written.at(-1))
  expect(values.calls.length, 'calls of a listener that slept through all but the last state').to.equal(2)
  const names = ['k', ...written.slice(1).map((_, at) => String(at + 2))]
  await toldNames(given, 'the newest key set', keySets, names)
  expect(keySets.calls.length, 'calls of a key set listener that slept through all but the last state').to.equal(2)
  for (const recorder of [values, quick]) expectValuesInOrder(recorder, written)
}

async function throwing(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const { registry } = reader
  const throwing = recordValues(given)
  const thrower = {
    valueChanged(text: string | undefined, entry: Parameters<typeof throwing.valueChanged>[1]): void {
      throwing.valueChanged(text, entry)?.catch(() => undefined)
      throw new Error('thrown by a listener')
    },
  }
  const rejecting = recordValues(given, () => Promise.reject(new Error('rejected by a listener')))
  const rejectingNames = recordKeySets(given, () => Promise.reject(new Error('rejected by a listener')))
  const [healthy, healthyNames] = [recordValues(given), recordKeySets(given)]
  await registry.addValueChangeListener('/ns/k', thrower, { initial: true })
  await registry.addValueChangeListener('/ns/k', rejecting)
  await registry.addValueChangeListener('/ns/k', healthy)
  await registry.addKeySetChangeListener('/ns', rejectingNames, { initial: true })
  await registry.addKeySetChangeListener('/ns', healthyNames)
  const before = reader.logged.length
  const names: string[] = []
  for (let round = 0; round < 3; round++) {
    const version = await (round === 0
      ? writer.storage.put('/ns/k', '0')
      : writer.storage.update('/ns/k', String(round)))
    for (const [what, recorder] of Object.entries({ throwing, rejecting, healthy })) {
      await told(given, `write ${round}, to the ${what} listener,`, recorder, version)
    }
    const name = `k${round}`
    await writer.storage.put(`/ns/${name}`, 'x')
    names.push(name)
    await toldNames(given, `key set ${round}, to the rejecting listener,`, rejectingNames, ['k', ...names])
    await toldNames(given, `key set ${round}, to the healthy listener,`, healthyNames, ['k', ...names])
  }
  await given.until('what listeners threw is logged', () => reader.logged.length > before)
  expectSetsDiffer(healthyNames)
}

async function counting(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const { registry } = reader
  const [twice, both, neighbour] = [recordValues(given), recordValues(given), recordValues(given)]
  await registry.addValueChangeListener('/one', twice)
  await registry.addValueChangeListener('/one', twice)
  await Promise.all([
    registry.addValueChangeListener('/one', both),
    registry.addValueChangeListener('/two', both),
    registry.addValueChangeListener('/one', neighbour),
  ])
  const one = await writer.storage.put('/one', 'x')
  for (const recorder of [twice, both, neighbour]) await told(given, 'a write of /one', recorder, one)
  const two = await writer.storage.put('/two', 'y')
  await told(given, 'a write of /two', both, two)
  await staysQuiet(given, 'a listener that was added twice', twice)
  const seen = [twice, both, neighbour].map(({ calls }) => calls.map(({ entry }) => entry?.key))
  expect(seen, 'the keys that the listeners were told of').to.deep.equal([['/one'], ['/one', '/two'], ['/one']])

  await registry.removeValueChangeListener('/one', twice)
  await registry.removeValueChangeListener('/one', both)
  const changed = await writer.storage.update('/one', 'z')
  await told(given, 'a write of /one, to the listener that stayed,', neighbour, changed)
  const still = await writer.storage.update('/two', 'z')
  await told(given, 'a write of /two, to a listener removed from /one,', both, still)
  await staysQuiet(given, 'a listener that was added twice and removed once', twice)
  expect(
    both.calls.map(({ entry }) => entry?.key),
    'the keys, after removal from /one',
  ).to.deep.equal(['/one', '/two', '/two'])

  const names = recordKeySets(given)
  await registry.addKeySetChangeListener('/', names)
  await registry.addKeySetChangeListener('/', names)
  await writer.storage.put('/three', 'x')
  await toldNames(given, 'a new key', names, ['one', 'three', 'two'])
  await staysQuiet(given, 'a key set listener that was added twice', names)
  expect(names.calls.length, 'its calls for one change').to.equal(1)
}

async function removing(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const { registry } = reader
  await silentAfterRemove(given, writer, reader)
  await registry.removeValueChangeListener('/k', recordValues(given))
  await registry.removeValueChangeListener('/never/listened/to', recordValues(given))
  await registry.removeKeySetChangeListener('/k', recordKeySets(given))
  await busyListener(given, writer, reader)
}

/** Removed while updates keep coming: no call begins after the removal has resolved. */
async function silentAfterRemove(given: Given, writer: Party, { registry }: Party): Promise<void> {
  await writer.storage.put('/ns/k', '0')
  const witness = recordValues(given)
  await registry.addValueChangeListener('/ns/k', witness)
  let writing = true
  const write = async () => {
    for (let value = 1; writing; value++) await writer.storage.update('/ns/k', String(value))
  }
  const remove = async () => {
    try {
      for (let round = 0; round < given.scale(5, 50); round++) {
        const [values, names] = [recordValues(given), recordKeySets(given)]
        await registry.addValueChangeListener('/ns/k', values, { initial: true })
        await registry.addKeySetChangeListener('/ns', names, { initial: true })
        await given.until('a listener is called while updates keep coming', () => values.calls.length > 0)
        await registry.removeValueChangeListener('/ns/k', values)
        const before = values.calls.length
        await registry.removeKeySetChangeListener('/ns', names)
        const namesBefore = names.calls.length
        await writer.storage.put(`/ns/new${round}`, 'x')
        const heard = witness.calls.length
        await given.until('another listener is called', () => witness.calls.length > heard)
        expect(values.calls.length, 'calls of a removed listener').to.equal(before)
        expect(names.calls.length, 'calls of a removed key set listener').to.equal(namesBefore)
      }
    } finally {
      writing = false
    }
  }
  await Promise.all([write(), remove()])
  await registry.removeValueChangeListener('/ns/k', witness)
}

/** It adds and removes listeners, itself too, and calls the SPI, and waits for all of it. */
async function busyListener(given: Given, writer: Party, { registry, storage }: Party): Promise<void> {
  const added = recordValues(given)
  let ended = 0
  const busy = recordValues(given, async ({ text }) => {
    await storage.put(`/written/for ${text}`, await storage.fetch('/busy').then((now) => now ?? 'absent'))
    await registry.addValueChangeListener('/other', added)
    await registry.removeValueChangeListener('/other', recordValues(given))
    await registry.removeValueChangeListener('/busy', busy)
    ended++
  })
  await registry.addValueChangeListener('/busy', busy)
  await writer.storage.put('/busy', 'one')
  await given.until('the listener has written', () => storage.fetch('/written/for one'))
  const other = await given.until('the listener has added another', async () => {
    const version = await touch(writer, '/other')
    return given.until('which is told', () => added.last?.entry?.version === version && version)
  })
  await given.until('the call in which the listener removes itself comes to its end', () => ended === 1)
  expect(added.last?.entry?.version, 'what the added listener is told').to.equal(other)
  await writer.storage.update('/busy', 'two')
  await staysQuiet(given, 'a listener that has removed itself', busy)
  expect(busy.calls.length, 'its calls').to.equal(1)
}

async function touch({ storage }: Party, key: string): Promise<string> {
  const now = await storage.fetchEntry(key)
  return now === undefined ? storage.put(key, 'x') : storage.update(key, 'x')
}
