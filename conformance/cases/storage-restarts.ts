/** Case S22: data outlive the servers' processes. */
import { expect } from 'chai'
import { isCoordinationError, type Storage, type Version, type WriteOptions } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import { calmParty } from './storage-clients.ts'
import { deleteAll, expectValue, inParallel, numbered, patient, refusal } from './storage-steps.ts'

export const storageRestarts: readonly ConformanceCase[] = [
  {
    id: 'S22',
    title: 'values and versions are the same after all servers were killed and started again',
    needs: ['servers'],
    capability: 'persistent',
    run: restart,
    alone: true,
    extraTtls: 30,
  },
]

async function restart(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const keys = numbered('/kept', given.scale(50, 1_000))
  const binary = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const first = await inParallel(keys, (key) => storage.put(key, key, patient(given)))
  const versions = await inParallel(keys, (key, at) => {
    return storage.update(key, at % 2 === 0 ? binary : `${key} updated`, patient(given))
  })
  const gone = numbered('/gone', 20)
  await inParallel(gone, (key) => storage.put(key, 'x', patient(given)))
  await deleteAll(given, storage, gone)

  const servers = given.hooks.servers ?? []
  await Promise.all(servers.map((server) => server.kill()))
  await Promise.all(servers.map((server) => server.start()))

  const limit = 10 * given.T + given.graceMs
  await given.until('the client that was connected writes again', () => writable(storage), limit)
  const fresh = await given.until('a new client gets in', () => orNotYet(calmParty(given, 'B')), limit)
  for (const reader of [storage, fresh.storage]) {
    await inParallel(keys, async (key, at) => {
      await expectValue(reader, key, at % 2 === 0 ? binary : `${key} updated`, versions[at])
    })
    expect([...(await reader.list('/gone'))], 'deleted keys that have come back').to.deep.equal([])
    expect((await reader.list('/kept')).size, 'keys that were kept').to.equal(keys.length)
  }
  const used = new Set([...first, ...versions])
  for (const [at, key] of keys.slice(0, 20).entries()) {
    const stale = fresh.storage.update(key, 'x', ifVersion(first[at]))
    await refusal('VERSION_MISMATCH', 'update with a version that was stale before the restart', stale)
    const next = await fresh.storage.update(key, 'new', ifVersion(versions[at]))
    expect(used.has(next), `whether the version ${next} was used before the restart`).to.equal(false)
  }
}

function ifVersion(version: Version | undefined): WriteOptions {
  if (version === undefined) throw new RangeError('there is no such version')
  return { ifVersion: version }
}

function writable(storage: Storage): Promise<true | undefined> {
  return orNotYet(storage.delete('/was-never-there').then(() => true as const))
}

/** While servers start every error of the SPI is an answer; anything else is a fault. */
async function orNotYet<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt
  } catch (error) {
    if (isCoordinationError(error)) return undefined
    throw error
  }
}
