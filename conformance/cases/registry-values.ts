/** Cases R1–R3, R8, R9, R12 and R14: what a listener of one key is told. */
import { expect } from 'chai'
import type { Version } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { watchLoop } from './election-clock.ts'
import { expectValuesInOrder, makeGate, recordValues, staysQuiet, told, type ValueRecorder } from './registry-steps.ts'
import { calmParties } from './storage-clients.ts'
import { entryOf, inParallel, numbered, patient } from './storage-steps.ts'

export const registryValues: readonly ConformanceCase[] = [
  { id: 'R1', title: 'a listener is told of put, update and delete, in this order', run: inOrder },
  { id: 'R2', title: 'the key that is listened to need not exist', run: absentKey },
  { id: 'R3', title: 'of many fast updates the last is told, and none twice or out of order', run: fastUpdates },
  { id: 'R8', title: 'initial is exactly one first call; without it there is none before a change', run: initial },
  { id: 'R9', title: 'no write falls into the gap while a listener is added', run: noGap, extraTtls: 10 },
  { id: 'R12', title: 'a key re-created with equal bytes shows, if it shows, with its new version', run: recreated },
  {
    id: 'R14',
    title: 'own and foreign writes are told alike, and within maxLagMs',
    run: withinLag,
    alone: true,
    extraTtls: 10,
  },
]

async function inOrder(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const recorders = [recordValues(given), recordValues(given)] as const
  await writer.registry.addValueChangeListener('/k', recorders[0])
  await reader.registry.addValueChangeListener('/k', recorders[1])
  const written: (Version | undefined)[] = []
  const steps = [
    () => writer.storage.put('/k', 'one'),
    () => writer.storage.update('/k', 'two'),
    () => writer.storage.update('/k', Uint8Array.of(255)),
    () => writer.storage.delete('/k').then(() => undefined),
    () => writer.storage.put('/k', ''),
    () => writer.storage.delete('/k').then(() => undefined),
  ]
  for (const step of steps) {
    const version = await step()
    written.push(version)
    for (const recorder of recorders) await told(given, `write ${written.length}`, recorder, version)
  }
  await writer.storage.put('/k/below', 'x')
  await writer.storage.put('/kk', 'x')
  for (const recorder of recorders) {
    await staysQuiet(given, 'after writes to other keys', recorder)
    expect(
      recorder.calls.map(({ text }) => text),
      'the values, bytes that are not UTF-8 as undefined',
    ).to.deep.equal(['one', 'two', undefined, undefined, '', undefined])
    const bytes = recorder.calls[2]?.entry?.bytes
    expect(bytes === undefined ? undefined : [...bytes], 'the bytes of the third call').to.deep.equal([255])
    const versions = recorder.calls.map(({ entry }) => entry?.version)
    expect(versions, 'the versions, as the writes returned them').to.deep.equal(written)
    expect(recorder.calls[0]?.entry?.key, 'the key of an entry').to.equal('/k')
    expect(recorder.overlaps, 'calls that overlapped').to.equal(0)
  }
}

async function absentKey(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const recorder = recordValues(given)
  await reader.registry.addValueChangeListener('/not/there', recorder)
  await writer.storage.put('/not/there/below', 'x')
  await staysQuiet(given, 'listening to an absent key', recorder)
  const version = await writer.storage.put('/not/there', 'now')
  await told(given, 'its creation', recorder, version)
  expect(
    recorder.calls.map(({ text }) => text),
    'the values',
  ).to.deep.equal(['now'])
}

async function fastUpdates(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const written = [await writer.storage.put('/k', '0')]
  const [own, foreign] = [recordValues(given), recordValues(given)]
  await writer.registry.addValueChangeListener('/k', own)
  await reader.registry.addValueChangeListener('/k', foreign)
  const count = given.scale(150, 1_000)
  while (written.length <= count)
    written.push(await writer.storage.update('/k', String(written.length), patient(given)))
  for (const recorder of [own, foreign]) {
    await told(given, 'the last update', recorder, written.at(-1))
    await staysQuiet(given, 'after the last update', recorder)
    expectValuesInOrder(recorder, written)
    expect(recorder.last?.text, 'the last value').to.equal(String(count))
  }
}

async function initial(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const { registry } = reader
  const there = await writer.storage.put('/there', 'x')
  const [present, absent, without] = [recordValues(given), recordValues(given), recordValues(given)]
  await registry.addValueChangeListener('/there', present, { initial: true })
  await registry.addValueChangeListener('/absent', absent, { initial: true })
  await registry.addValueChangeListener('/there', without)
  await told(given, 'the present state', present, there)
  await told(given, 'the absence', absent, undefined)
  await Promise.all([
    staysQuiet(given, 'with initial, nothing changing', present),
    staysQuiet(given, 'with initial on an absent key, nothing changing', absent),
    staysQuiet(given, 'without initial, nothing changing', without),
  ])
  expect(
    [present, absent, without].map(({ calls }) => calls.length),
    'the calls without any change',
  ).to.deep.equal([1, 1, 0])

  const written: Version[] = [there]
  const racing = recordValues(given)
  const write = async () => {
    while (written.length <= given.scale(40, 100)) {
      written.push(await writer.storage.update('/there', String(written.length), patient(given)))
    }
  }
  await Promise.all([write(), registry.addValueChangeListener('/there', racing, { initial: true })])
  await told(given, 'the last of the racing writes', racing, written.at(-1))
  expectValuesInOrder(racing, written)
  expectValuesInOrder(present, written)
}

/** With `initial` also a write that is on its way while the listener is added; without it one that follows. */
async function noGap(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  const rounds = given.scale(60, 200)
  const recorders = await inParallel(numbered('/gap', rounds), async (key, round) => {
    const recorder = recordValues(given)
    if (round % 2 === 0) {
      const add = reader.registry.addValueChangeListener(key, recorder, { ...patient(given), initial: true })
      const [version] = await Promise.all([writer.storage.put(key, 'x', patient(given)), add])
      return { key, recorder, version }
    }
    await reader.registry.addValueChangeListener(key, recorder, patient(given))
    return { key, recorder, version: await writer.storage.put(key, 'x', patient(given)) }
  })
  for (const { key, recorder, version } of recorders) {
    await told(given, `the write of ${key}, at the same time as its listener was added,`, recorder, version)
    expectValuesInOrder(recorder, [version])
  }
}

/** The listener looks away: its call is under way while the key is deleted and re-created. */
async function recreated(given: Given): Promise<void> {
  const [writer, reader] = await calmParties(given, 2)
  await inParallel(numbered('/again', given.scale(8, 30)), async (key) => {
    const written = [await writer.storage.put(key, 'same', patient(given))]
    const gate = makeGate(given)
    const slow = recordValues(given, (_, number) => (number === 0 ? gate.passed : undefined))
    await reader.registry.addValueChangeListener(key, slow, { ...patient(given), initial: true })
    await given.until(`the listener of ${key} is in its first call`, () => slow.calls.length === 1)
    await writer.storage.delete(key, patient(given))
    written.push(await writer.storage.put(key, 'same', patient(given)))
    const bystander = recordValues(given)
    await reader.registry.addValueChangeListener(key, bystander, { ...patient(given), initial: true })
    await told(given, `the re-creation of ${key}`, bystander, written[1])
    gate.open()
    written.push(await writer.storage.update(key, 'last', patient(given)))
    await told(given, `the last value of ${key}`, slow, written[2])
    expectValuesInOrder(slow, written)
    expectValuesInOrder(bystander, written)
  })
}

/** The reply comes after the commit, so what is measured is at most the true lag. */
async function withinLag(given: Given): Promise<void> {
  const [one, two] = await calmParties(given, 2)
  const loop = watchLoop()
  given.after(() => loop.stop())
  // not when the call began: it cannot while the event loop stalls
  const heardAt = new Map<ValueRecorder, number>()
  const record = () => {
    const recorder = recordValues(given, () => void heardAt.set(recorder, loop.ranAt()))
    return recorder
  }
  const [heardByOne, heardByTwo] = [record(), record()]
  await one.registry.addValueChangeListener('/k', heardByOne)
  await two.registry.addValueChangeListener('/k', heardByTwo)
  await one.storage.put('/k', 'begin')
  const { maxLagMs } = given.capabilities.notifications
  for (let round = 0; round < given.scale(12, 60); round++) {
    const writer: Party = round % 2 === 0 ? one : two
    const version = await writer.storage.update('/k', String(round))
    const repliedAt = given.now()
    for (const [name, recorder] of Object.entries({ A: heardByOne, B: heardByTwo })) {
      await told(given, `${writer.name}'s write ${round}`, recorder, version)
      const lag = (heardAt.get(recorder) ?? Infinity) - repliedAt
      expect(lag, `milliseconds from ${writer.name}'s write to ${name}'s call`).to.be.at.most(maxLagMs)
    }
  }
  const last = await entryOf(one.storage, '/k')
  expect([heardByOne.last?.entry?.version, heardByTwo.last?.entry?.version], 'the last versions heard').to.deep.equal([
    last.version,
    last.version,
  ])
}
