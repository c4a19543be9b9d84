/** Cases E1, E7 and E8: what a refused call says, and that it was refused in time. */
import { expect } from 'chai'
import { extname } from 'node:path'
import {
  CoordinationError,
  type ErrorCode,
  isCoordinationError,
  MAX_ID_BYTES,
  pluginContext,
  requireCapabilities,
} from '../../spi/index.ts'
import type * as spiErrors from '../../spi/errors.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { describe, findTheirs, keepLog, load, servicesOf, settled, settlesWithin } from './lifecycle-steps.ts'
import { calmParty } from './storage-clients.ts'
import { failure } from './storage-steps.ts'

export const errorsCodes: readonly ConformanceCase[] = [
  { id: 'E1', title: 'says of every failed call by its code what it was, and whether it had an effect', run: codes },
  { id: 'E7', title: 'refuses bad names and values before anything is sent', run: badArguments },
  {
    id: 'E8a',
    title: 'refuses wrong credentials with AUTHENTICATION at the start, and does not try them again and again',
    needs: ['wrongCredentials'],
    run: wrongCredentials,
  },
  {
    id: 'E8b',
    title: 'says AUTHORIZATION where the store forbids what the client wants',
    needs: ['forbidden'],
    run: forbidden,
  },
]

async function codes(given: Given): Promise<void> {
  const party = await calmParty(given, 'A')
  const provoked = { ...(await refusals(given, party)), ...(await silences(given)) }
  const other = await secondCopy()
  for (const [code, provoke] of Object.entries(provoked)) {
    const error = await failure(`what must be refused with ${code}`, provoke())
    const expected = code === 'CONNECTION' ? ['CONNECTION', 'TIMEOUT'] : [code]
    if (!isCoordinationError(error) || !expected.includes(error.code)) {
      throw new Error(`a call must fail with ${code}, but it was ${describe({ is: 'rejected', error })}`, {
        cause: error,
      })
    }
    expect(error, 'the error').to.be.instanceOf(Error)
    expect(error.name, `the name of the error ${code}`).to.equal('CoordinationError')
    expect(error.message, `the message of the error ${code}`).to.match(/\w.*\w/)
    expect(error.message, `the message of the error ${code}`).not.to.match(/undefined|\[object/)
    expect(error.backend, `the backend of the error ${code}`).to.be.oneOf([given.capabilities.backend, 'spi'])
    expect(error.effect, `the effect of the error ${code}`).to.be.oneOf(effectsOf(error.code))
    expect(
      error.retriable && error.effect === 'unknown' && isWrite(error.code),
      'whether a blind repetition is advised',
    ).to.equal(false)
    expect(other.isCoordinationError(error, error.code), `whether another copy of the package knows ${code}`).to.equal(
      true,
    )
  }
  const foreign = new other.CoordinationError('FENCED', 'of another copy')
  expect(foreign instanceof CoordinationError, 'whether the second copy is the first').to.equal(false)
  expect(isCoordinationError(foreign, 'FENCED'), 'whether the error of another copy is known here').to.equal(true)
  expect(isCoordinationError(foreign, 'CLOSED'), 'whether the error of another copy has any code').to.equal(false)
}

type Provocations = Partial<Record<ErrorCode, () => Promise<unknown>>>

/** Whatever can be had without disturbing anything. */
async function refusals(given: Given, { storage, group, election }: Party): Promise<Provocations> {
  const { limits, atomicFencing } = given.capabilities
  const other = await calmParty(given, 'B')
  const closed = await calmParty(given, 'closed')
  await closed.locator.shutdown()
  const { locatorClass } = await findTheirs(given)
  const version = await storage.put('/k', 'v')
  await storage.update('/k', 'w')
  await group().join('member', '')
  await election().nominate('candidate')
  return {
    KEY_EXISTS: () => storage.put('/k', 'x'),
    KEY_NOT_FOUND: () => storage.update('/absent', 'x'),
    VERSION_MISMATCH: () => storage.update('/k', 'x', { ifVersion: version }),
    ...(atomicFencing && {
      FENCED: () => storage.put('/fenced', 'x', { fence: { service: 'nobody leads it', token: 1n } }),
    }),
    MEMBER_EXISTS: () => other.group().join('member', ''),
    NOT_A_MEMBER: () => other.group().updateData('member', 'x'),
    LEADERSHIP_LOST: () => election().awaitLeadership('nobody'),
    CANDIDATE_EXISTS: () => election().nominate('candidate'),
    INVALID_KEY: () => storage.fetch('no slash'),
    INVALID_ARGUMENT: () => storage.init(pluginContext()),
    INVALID_DATA: () => storage.put('/bad', '\ud800'),
    TOO_LARGE: () => storage.put('/bad', new Uint8Array(limits.maxValueBytes + 1)),
    UNSUPPORTED: async () => requireCapabilities(storage.capabilities, { valueBytes: limits.maxValueBytes + 1 }),
    CONFIG: async () => {
      await new locatorClass().startup('', { config: {}, sessionTimeoutMs: -1, logger: keepLog().logger })
    },
    NOT_INITIALIZED: async () => new locatorClass().getStorage().fetch('/k'),
    CLOSED: () => closed.storage.fetch('/k'),
  }
}

/** What needs a network. */
async function silences(given: Given): Promise<Provocations> {
  if (given.harness.endpoints.length === 0) return {}
  const silent = await calmParty(given, 'silent')
  const refused = await calmParty(given, 'refused')
  silent.link.blackHole('both')
  refused.link.cut()
  const timeoutMs = given.T / 4
  return {
    TIMEOUT: () => silent.storage.put('/silent', 'x', { timeoutMs }),
    CONNECTION: () => refused.storage.put('/refused', 'x', { timeoutMs }),
  }
}

function effectsOf(code: ErrorCode): string[] {
  return ['CLOSED', 'CONNECTION', 'TIMEOUT'].includes(code) ? ['none', 'unknown'] : ['none']
}

/** All that is provoked with these codes is a put. */
function isWrite(code: ErrorCode): boolean {
  return code === 'TIMEOUT' || code === 'CONNECTION'
}

/** As a plugin with a package of its own brings it. */
async function secondCopy(): Promise<typeof spiErrors> {
  const url = new URL(`../../spi/errors${extname(import.meta.url)}`, import.meta.url)
  url.searchParams.set('copy', '2')
  return (await import(url.href)) as typeof spiErrors
}

/** With nothing sent there is nothing to wait for. */
const BEFORE_SENDING_MS = 100

async function badArguments(given: Given): Promise<void> {
  const party = await given.party('A')
  await party.storage.put('/there', 'v')
  const services = servicesOf(party.locator)
  // first as usual, then where nothing that is sent gets anywhere
  const silences = given.harness.endpoints.length === 0 ? [false] : [false, true]
  for (const isSilent of silences) {
    if (isSilent) party.link.blackHole('both')
    for (const [what, code, call] of badCalls(given, party, services)) {
      const outcome = await settlesWithin(`${what}, refused before anything is sent,`, BEFORE_SENDING_MS, call())
      if (outcome.is === 'rejected' && isCoordinationError(outcome.error, code)) {
        expect(outcome.error.effect, `the effect of ${what}`).to.equal('none')
        continue
      }
      throw new Error(`${what} must be rejected with ${code}, but it was ${describe(outcome)}`)
    }
  }
  if (silences.includes(true)) party.link.heal()
  const b = await given.party('B')
  expect([...(await b.storage.list('/'))], 'what bad calls have stored').to.deep.equal(['there'])
  expect(await b.storage.fetch('/there'), 'what bad calls have made of a value').to.equal('v')
  expect(await b.group().membershipList(), 'the members after bad calls').to.have.property('size', 0)
  expect(await b.election().getLeader(), 'the leader after bad calls').to.equal(undefined)
}

type BadCall = readonly [what: string, code: ErrorCode, call: () => Promise<unknown>]

function badCalls(
  given: Given,
  party: Party,
  { storage, registry, group, election }: ReturnType<typeof servicesOf>,
): BadCall[] {
  const { limits, transactions } = given.capabilities
  const listener = { valueChanged: () => undefined }
  const keyCalls = badPaths(limits.maxKeyBytes).flatMap(([what, key]): BadCall[] => [
    [`fetch of ${what}`, 'INVALID_KEY', () => storage.fetch(key)],
    [`put of ${what}`, 'INVALID_KEY', () => storage.put(key, '')],
    [`update of ${what}`, 'INVALID_KEY', () => storage.update(key, '')],
    [`delete of ${what}`, 'INVALID_KEY', () => storage.delete(key)],
    [`a listener on ${what}`, 'INVALID_KEY', () => registry.addValueChangeListener(key, listener)],
    ...(key === '/' ? [] : badNamespace(what, key, { storage, registry })),
    ...(transactions === false
      ? []
      : [[`a transaction on ${what}`, 'INVALID_KEY', () => storage.transact([{ op: 'delete', key }])] as const]),
  ])
  const idCalls = badIds().flatMap(([what, id]): BadCall[] => [
    [`join as ${what}`, 'INVALID_KEY', () => group.join(id, '')],
    [`nominate of ${what}`, 'INVALID_KEY', () => election.nominate(id)],
    [`the group of ${what}`, 'INVALID_KEY', async () => party.locator.getGroupMembership(id).membershipList()],
    [`the election of ${what}`, 'INVALID_KEY', async () => party.locator.getLeaderElection(id).getLeader()],
  ])
  const large = new Uint8Array(limits.maxValueBytes + 1)
  const dataCalls = (
    [
      ['a lone surrogate', 'INVALID_DATA', 'x\udc00'],
      ['too many bytes', 'TOO_LARGE', large],
      ['a number', 'INVALID_ARGUMENT', 7 as unknown as string],
      ['nothing', 'INVALID_ARGUMENT', undefined as unknown as string],
    ] as const
  ).flatMap(([what, code, data]): BadCall[] => [
    [`put of ${what}`, code, () => storage.put('/bad', data)],
    [`update to ${what}`, code, () => storage.update('/there', data)],
    [`join with ${what}`, code, () => group.join('bad', data)],
  ])
  const tooMany =
    transactions === false ? [] : Array.from({ length: transactions.maxOps + 1 }, (_, at) => `/many/${at}`)
  const many = () => storage.transact(tooMany.map((key) => ({ op: 'put', key, data: '' })))
  return [
    ...keyCalls,
    ...idCalls,
    ...dataCalls,
    ['nominate with too many bytes', 'TOO_LARGE', () => election.nominate('bad', { data: large })],
    ...(transactions === false ? [] : [['a transaction of too many operations', 'TOO_LARGE', many] as const]),
  ]
}

function badNamespace(
  what: string,
  key: string,
  { storage, registry }: Pick<Party, 'storage' | 'registry'>,
): BadCall[] {
  const scan = async () => {
    for await (const entry of storage.scan(key)) return entry
    return undefined
  }
  const listener = { keySetChanged: () => undefined }
  return [
    [`list of ${what}`, 'INVALID_KEY', () => storage.list(key)],
    [`scan of ${what}`, 'INVALID_KEY', scan],
    [`a listener below ${what}`, 'INVALID_KEY', () => registry.addKeySetChangeListener(key, listener)],
  ]
}

function badPaths(maxBytes: number): (readonly [what: string, key: string])[] {
  return [
    ['an empty key', ''],
    ['a key without a slash', 'there'],
    ['the root', '/'],
    ['a key that ends with a slash', '/there/'],
    ['a key with an empty segment', '/there//x'],
    ['a key that begins with two slashes', '//there'],
    ["a key with the segment '.'", '/there/.'],
    ["a key with the segment '..'", '/x/../there'],
    ['a key with NUL', '/there\0x'],
    ['a key with a lone surrogate', '/there\ud83d'],
    ['a key of too many bytes', `/${'é'.repeat(maxBytes / 2)}`],
    ['a key that is a number', 7 as unknown as string],
  ]
}

function badIds(): (readonly [what: string, id: string])[] {
  return [
    ['an empty id', ''],
    ['an id with NUL', 'a\0b'],
    ['an id with a lone surrogate', '\udc00a'],
    ['an id of too many bytes', 'é'.repeat(MAX_ID_BYTES / 2 + 1)],
  ]
}

/** What an honest client may need: one for each server, and some for other purposes. */
const CONNECTIONS_PER_ENDPOINT = 5

async function wrongCredentials(given: Given): Promise<void> {
  const link = await given.link()
  const wrong = { ...given.properties(link), ...given.hooks.wrongCredentials }
  const { lines, logger } = keepLog()
  const starting = load(given, await given.serverProperties(link), { config: wrong, logger })
  const outcome = await settlesWithin('a start with wrong credentials', 4 * given.T, starting)
  if (outcome.is === 'resolved' || !isCoordinationError(outcome.error, 'AUTHENTICATION')) {
    throw new Error(
      `a start with wrong credentials must be rejected with AUTHENTICATION, but it was ${describe(outcome)}`,
    )
  }
  expect(outcome.error.effect, 'the effect of wrong credentials').to.equal('none')
  expect(outcome.error.retriable, 'whether wrong credentials are worth another try').to.equal(false)
  const opened = link.opened
  expect(opened, 'connections for one start with wrong credentials').to.be.at.most(
    CONNECTIONS_PER_ENDPOINT * Math.max(1, link.endpoints.length),
  )
  await given.always('the credentials are not tried again', () => link.opened === opened, given.T / 2)
  expect(lines.length, 'lines in the log for one start with wrong credentials').to.be.at.most(10)
}

async function forbidden(given: Given): Promise<void> {
  const { clusterId, properties } = given.hooks.forbidden ?? { clusterId: '', properties: {} }
  const link = await given.link()
  const host = { clusterId, config: { ...given.properties(link), ...properties }, logger: keepLog().logger }
  const started = await settled(load(given, await given.serverProperties(link), host))
  if (started.is === 'rejected') {
    expect(
      isCoordinationError(started.error, 'AUTHORIZATION'),
      `a start where all is forbidden ${describe(started)}`,
    ).to.equal(true)
    return
  }
  // a store may only know what is forbidden when it is asked for it
  const { storage, group, election } = servicesOf(started.value)
  const calls: [string, () => Promise<unknown>][] = [
    ['put', () => storage.put('/k', 'v')],
    ['fetch', () => storage.fetch('/k')],
    ['list', () => storage.list('/')],
    ['join', () => group.join('member', '')],
    ['membershipList', () => group.membershipList()],
    ['nominate', () => election.nominate('candidate')],
  ]
  for (const [name, call] of calls) {
    const outcome = await settled(call())
    const isRefused = outcome.is === 'rejected' && isCoordinationError(outcome.error, 'AUTHORIZATION')
    expect(
      isRefused,
      `${name} where it is forbidden must be rejected with AUTHORIZATION, but was ${describe(outcome)}`,
    ).to.equal(true)
  }
}
