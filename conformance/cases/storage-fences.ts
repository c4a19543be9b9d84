/** Cases S23 and S23b: writes that are fenced by a leader's token. */
import { expect } from 'chai'
import { type Fence, isCoordinationError, parseToken, type Storage, type WriteOptions } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { calmParties, calmParty } from './storage-clients.ts'
import { collect, expectValue, refusal } from './storage-steps.ts'

export const storageFences: readonly ConformanceCase[] = [
  {
    id: 'S23',
    title: 'a write with a fence takes place only while its token is the current one, whoever writes',
    capability: 'atomicFencing',
    run: fencing,
    otherwise: unsupported,
  },
  {
    id: 'S23b',
    title: 'no write with the fence of a predecessor takes place once its successor leads, however close they are',
    capability: 'atomicFencing',
    run: racing,
    otherwise: unsupported,
    extraTtls: 10,
  },
]

/** Writers that go on until they are fenced: some of their writes are always under way. */
const WRITERS = 8

async function fencing(given: Given): Promise<void> {
  const [one, two, bystander] = await calmParties(given, 3)
  const old = await leadBy(given, one, 'one')
  await one.storage.put('/kept', 'value')
  for (const [by, writer] of [one, two, bystander].entries()) {
    if (writer !== undefined) await accepted(writer.storage, `/by${by}`, old)
  }
  if (given.capabilities.multiProcess) {
    // as a request carries it: in digits
    const token = parseToken(old.token.toString())
    const other = await given.process('other process')
    await other.storage.put('/elsewhere', 'x', { fence: { service: old.service, token } })
    await expectValue(one.storage, '/elsewhere', 'x')
    await other.storage.delete('/elsewhere')
  }
  await refused(one.storage, 'of a token that is not given yet', { service: old.service, token: old.token + 1n })
  await refused(one.storage, 'of a service that nobody leads', { service: 'nobody leads this', token: old.token })
  await one.election().resign('one')
  const now = await leadBy(given, two, 'two')
  expect(now.token > old.token, `whether token ${now.token} is greater than ${old.token}, of the term before`).to.equal(
    true,
  )
  for (const writer of [one, two]) await refused(writer.storage, 'of a term that is over', old)
  await refused(two.storage, 'of another service', { service: `${now.service} other`, token: now.token })
  await two.election('another service').nominate('two')
  await refused(two.storage, 'of another service of the same leader', { service: 'another service', token: now.token })
  await accepted(one.storage, '/after', now)
  await unfenced(one.storage)
}

async function racing(given: Given): Promise<void> {
  const [one, two] = await calmParties(given, 2)
  for (let round = 0; round < given.scale(4, 40); round++) await raceForService(given, one, two, `service ${round}`)
}

/** The successor looks once: what it sees must be the last that its predecessor has written. */
async function raceForService(given: Given, one: Party, two: Party, service: string): Promise<void> {
  await one.election(service).nominate('leader')
  const leads = () => one.election(service).leadership('leader')
  const { token } = await given.until('there is a leader', leads)
  const fence = { service, token }
  const keys = Array.from({ length: WRITERS }, (_, writer) => `/${service}/writer${writer}`)
  await Promise.all(keys.map((key) => one.storage.put(key, '0', { fence })))
  const givenUp = new AbortController()
  let written = 0
  const enough = WRITERS + Math.floor(given.random() * WRITERS)
  const read = () => Promise.all(keys.map((key) => two.storage.fetch(key)))
  const succeed = async () => {
    try {
      await given.until('the writers are under way', () => written >= enough)
      await two.election(service).nominate('leader', { takeover: true })
      await given.until('the successor leads', () => two.election(service).leadership('leader'))
      return await read()
    } catch (error) {
      givenUp.abort()
      throw error
    }
  }
  const write = async (key: string, value: number) => {
    await one.storage.update(key, String(value), { fence })
    written++
  }
  const writing = keys.map((key) => untilFenced((value) => write(key, value), givenUp.signal))
  const [seen] = await Promise.all([succeed(), ...writing])
  expect(await read(), 'what is there after all, and what the successor saw first').to.deep.equal(seen)
  await two.election(service).resign('leader')
  await one.election(service).withdraw('leader')
}

async function untilFenced(write: (value: number) => Promise<void>, givenUp: AbortSignal): Promise<void> {
  for (let value = 1; !givenUp.aborted; value++) {
    try {
      await write(value)
    } catch (error) {
      if (isCoordinationError(error, 'FENCED')) return
      throw error
    }
  }
}

async function leadBy(given: Given, party: Party, candidate: string): Promise<Fence> {
  const election = party.election()
  await election.nominate(candidate)
  return given.until(`${party.name} leads`, () => election.leadership(candidate))
}

async function accepted(storage: Storage, key: string, { service, token }: Fence): Promise<void> {
  const fence = { service, token }
  const first = await storage.put(key, 'one', { fence })
  const second = await storage.update(key, 'two', { fence, ifVersion: first })
  await expectValue(storage, key, 'two', second)
  const stale = storage.update(key, 'three', { fence, ifVersion: first })
  await refusal('VERSION_MISMATCH', 'a stale update behind a current fence', stale)
  await refusal('KEY_EXISTS', 'a put over a key behind a current fence', storage.put(key, 'three', { fence }))
  expect(await storage.delete(key, { fence }), 'delete behind a current fence').to.equal(true)
  expect(await storage.delete(key, { fence }), 'delete of an absent key behind a current fence').to.equal(false)
  if (storage.capabilities.transactions === false) return
  await storage.transact([{ op: 'put', key, data: 'four' }], { fence })
  await storage.transact([{ op: 'delete', key }], { fence })
  await expectValue(storage, key, undefined)
}

/** Each kind of write, none of which has another reason to fail. */
async function refused(storage: Storage, what: string, fence: Fence): Promise<void> {
  const before = await collect(storage.scan('/'))
  const options: WriteOptions = { fence }
  await refusal('FENCED', `put behind a fence ${what}`, storage.put('/fenced', 'x', options))
  await refusal('FENCED', `update behind a fence ${what}`, storage.update('/kept', 'x', options))
  await refusal('FENCED', `delete behind a fence ${what}`, storage.delete('/kept', options))
  if (storage.capabilities.transactions !== false) {
    const both = storage.transact(
      [
        { op: 'put', key: '/fenced', data: 'x' },
        { op: 'update', key: '/kept', data: 'x' },
      ],
      options,
    )
    await refusal('FENCED', `transact behind a fence ${what}`, both)
  }
  const after = await collect(storage.scan('/'))
  const versions = (entries: typeof after) => entries.map(({ key, version }) => `${key} ${version}`)
  expect(versions(after), `the keys after writes behind a fence ${what}`).to.deep.equal(versions(before))
}

async function unfenced(storage: Storage): Promise<void> {
  await storage.put('/free', 'x')
  await storage.update('/kept', 'new value')
  expect(await storage.delete('/free'), 'delete without a fence').to.equal(true)
}

async function unsupported(given: Given): Promise<void> {
  const { storage } = await calmParty(given, 'A')
  const version = await storage.put('/k', 'x')
  const fence = { service: 'service', token: 1n }
  await refusal('UNSUPPORTED', 'put with a fence', storage.put('/other', 'x', { fence }))
  await refusal('UNSUPPORTED', 'update with a fence', storage.update('/k', 'y', { fence }))
  await refusal('UNSUPPORTED', 'delete with a fence', storage.delete('/k', { fence }))
  await expectValue(storage, '/k', 'x', version)
  await expectValue(storage, '/other', undefined)
}
