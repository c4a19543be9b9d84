/** Case R15: listeners outlive whatever happens to connections, sessions and servers. */
import { expect } from 'chai'
import { isCoordinationError, type Version } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import {
  expectSetsDiffer,
  expectValuesInOrder,
  type KeySetRecorder,
  recordKeySets,
  recordValues,
  staysQuiet,
  told,
  toldNames,
  type ValueRecorder,
} from './registry-steps.ts'
import { calmParty } from './storage-clients.ts'
import { deleteAll, numbered, patient, putAll } from './storage-steps.ts'

export const registryFaults: readonly ConformanceCase[] = [
  {
    id: 'R15',
    title: 'listeners survive cuts, lost sessions, restarts and forgotten history, and are told the last state once',
    needs: ['links'],
    run: survive,
    alone: true,
    extraTtls: 60,
  },
]

/** What the writer has done and the listeners of the other client must hear of. */
interface Watched {
  readonly writer: Party
  readonly values: ValueRecorder
  readonly names: KeySetRecorder
  readonly written: (Version | undefined)[]
  readonly children: Set<string>
}

async function survive(given: Given): Promise<void> {
  const [writer, cut] = [await calmParty(given, 'A'), await given.party('B')]
  const watched: Watched = {
    writer,
    values: recordValues(given),
    names: recordKeySets(given),
    written: [await writer.storage.put('/ns/k', '0')],
    children: new Set(['k']),
  }
  await cut.registry.addValueChangeListener('/ns/k', watched.values, { initial: true })
  await cut.registry.addKeySetChangeListener('/ns', watched.names, { initial: true })
  await arrives(given, 'the present state', watched)

  await away(given, cut, watched, { what: 'a reset', forMs: 0 })
  await away(given, cut, watched, { what: 'a cut shorter than the session', forMs: given.T * 0.4 })
  await away(given, cut, watched, { what: 'a cut longer than two sessions', forMs: given.T * 2.2 })
  if (given.hooks.compact !== undefined) {
    await away(given, cut, watched, { what: 'a cut while history is forgotten', forMs: given.T * 0.4, compact: true })
  }
  await restart(given, watched)
}

interface Absence {
  readonly what: string
  readonly forMs: number
  readonly compact?: boolean
}

/** While the listeners' client is cut off, much is written: a key deleted and re-created, children come and gone. */
async function away(given: Given, party: Party, watched: Watched, { what, forMs, compact }: Absence): Promise<void> {
  const { link } = party
  const cutAt = given.now()
  if (forMs === 0) link.resetAll()
  else link.cut()
  await changeMuch(given, watched)
  if (compact === true) await given.hooks.compact?.()
  await given.until(`${what} has lasted`, () => given.now() - cutAt >= forMs, forMs + 1_000)
  link.heal()
  await arrives(given, `what was written during ${what}`, watched)
  await onlyOnce(given, `what was written during ${what}`, watched)
  await changeMuch(given, watched)
  await arrives(given, `what was written after ${what}`, watched)
}

async function changeMuch(given: Given, { writer, written, children }: Watched): Promise<void> {
  const { storage } = writer
  await storage.delete('/ns/k', patient(given))
  written.push(undefined, await storage.put('/ns/k', 'same', patient(given)))
  for (let update = 0; update < 5; update++) written.push(await storage.update('/ns/k', 'same', patient(given)))
  const fleeting = numbered('/ns/fleeting', 20)
  await putAll(given, storage, fleeting, 'x')
  const lasting = `lasting${written.length}`
  await storage.put(`/ns/${lasting}`, 'x', patient(given))
  children.add(lasting)
  const [oldest] = [...children].filter((name) => name !== 'k')
  if (children.size > 3 && oldest !== undefined) {
    await storage.delete(`/ns/${oldest}`, patient(given))
    children.delete(oldest)
  }
  await deleteAll(given, storage, fleeting)
}

/** The client has to connect again first, and may have to wait between attempts. */
async function arrives(given: Given, what: string, { values, names, written, children }: Watched): Promise<void> {
  const withinMs = 5 * given.T + given.graceMs + RECONNECT_MS
  const version = written.at(-1)
  await given.until(`${what}: the key`, () => values.last?.entry?.version === version, withinMs)
  const expected = [...children].sort().join('\n')
  await given.until(`${what}: the key set`, () => names.last?.names.join('\n') === expected, withinMs)
  expectValuesInOrder(values, written)
  expectSetsDiffer(names)
}

/** Nothing follows what has arrived. */
async function onlyOnce(given: Given, what: string, { values, names, written }: Watched): Promise<void> {
  await Promise.all([staysQuiet(given, `${what}: the key`, values), staysQuiet(given, `${what}: the key set`, names)])
  const version = written.at(-1)
  const times = values.calls.filter(({ entry }) => entry?.version === version).length
  expect(times, `how often the last version is told (${what})`).to.equal(1)
}

/** A client may wait so long before it tries to connect once more. */
const RECONNECT_MS = 10_000

async function restart(given: Given, watched: Watched): Promise<void> {
  const { servers = [] } = given.hooks
  if (servers.length === 0 || !given.capabilities.persistent) return
  const { writer, values, names, written, children } = watched
  await Promise.all(servers.map((server) => server.kill()))
  await Promise.all(servers.map((server) => server.start()))
  const ready = async () => {
    try {
      return (await writer.storage.fetchEntry('/ns/k'))?.version === written.at(-1)
    } catch (error) {
      if (isCoordinationError(error)) return undefined
      throw error
    }
  }
  await given.until('the store answers after its restart', ready, 10 * given.T + given.graceMs + RECONNECT_MS)
  await changeMuch(given, watched)
  await arrives(given, 'what was written after a restart of all servers', watched)
  await told(given, 'the last value', values, written.at(-1))
  await toldNames(given, 'the last key set', names, [...children])
}
