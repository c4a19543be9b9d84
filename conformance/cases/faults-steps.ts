/** Steps of the cases on faults: servers that go and come back, and clients that find their way back. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCoordinationError, type OpOptions } from '../../spi/index.ts'
import type { ServerHook } from '../harness.ts'
import type { Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'
import { settled } from './lifecycle-steps.ts'

/** What a store may need to elect its own leader and to read its log, whatever T is. */
const STORE_START_MS = 5_000

/** By when, after the last fault, everything must work again. */
export function recovery({ T, graceMs }: Given): number {
  return 2 * T + graceMs + STORE_START_MS
}

/** All of them; after the case they run, whatever happens in it. */
export function serversOf(given: Given): readonly ServerHook[] {
  const servers = given.hooks.servers ?? []
  expect(servers, 'servers that the harness can harm').not.to.have.lengthOf(0)
  return servers
}

/** Kills a server; what starts it again, which also happens by itself after the case. */
export async function kill(given: Given, server: ServerHook): Promise<() => Promise<void>> {
  let isDown = true
  const start = async () => {
    if (!isDown) return
    isDown = false
    await server.start()
  }
  given.after(start)
  await server.kill()
  return start
}

/** What each kind of server stands still for; it goes on after the case, whatever happens in it. */
export async function pauseAll(given: Given, forMs: number): Promise<void> {
  const servers = serversOf(given)
  given.after(() => servers.forEach((server) => server.resume()))
  for (const server of servers) server.pause()
  await sleep(forMs)
  for (const server of servers) server.resume()
}

/** Writes until one write succeeds; every failure on the way must be one that an unreachable store may cause. */
export async function untilItWrites(given: Given, { name, storage }: Party, key: string): Promise<void> {
  await given.until(
    `${name} writes again`,
    async () => {
      const outcome = await settled(
        storage.put(`${key}/${Math.floor(given.random() * 1e12)}`, name, { timeoutMs: given.T }),
      )
      if (outcome.is === 'rejected') expectUnreachable(outcome.error, 'a put while the store may be unreachable')
      return outcome.is === 'resolved'
    },
    recovery(given),
  )
}

/** Codes that say: nobody answered. */
const UNREACHABLE = ['CONNECTION', 'TIMEOUT', 'OVERLOADED', 'SESSION_LOST']

export function expectUnreachable(error: unknown, what: string): void {
  if (!isCoordinationError(error)) throw error
  expect(error.code, `the error of ${what} (${error.message})`).to.be.oneOf(UNREACHABLE)
}

/** Who holds something through faults, and what it was told. */
export interface Watched {
  readonly party: Party
  /** `lost a`, `rejoined a`, …, in their order. */
  readonly told: string[]
}

/** A member and candidate of the given name, with all that it is told. */
export async function takeSeats(party: Party, name: string, options?: OpOptions): Promise<Watched> {
  const told: string[] = []
  await party.group().addListener({
    onGroupChange: () => undefined,
    onMembershipLost: () => void told.push('membership lost'),
    onRejoined: () => void told.push('rejoined'),
  })
  await party.election().addListener({
    onLeaderChange: () => undefined,
    onElected: () => void told.push('elected'),
    onLeadershipLost: () => void told.push('leadership lost'),
  })
  party.session.addListener({
    onLost: () => void told.push('lost'),
    onReestablished: () => void told.push('reestablished'),
  })
  await party.group().join(name, name, options)
  await party.election().nominate(name, options)
  return { party, told }
}

/** Each loss is followed by its opposite before the next one: none told twice, none left out. */
export function expectInTurn({ party, told }: Watched, what: readonly [string, string]): void {
  const ours = told.filter((word) => what.includes(word))
  const start = ours[0] === what[1] ? 1 : 0
  for (const [at, word] of ours.entries()) {
    expect(word, `${party.name} was told, in this order: ${told.join(', ')}`).to.equal(what[(at + start) % 2])
  }
}
