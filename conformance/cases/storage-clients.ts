/** Several clients for one case. */
import type { Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'

export type Parties = readonly [Party, Party, ...Party[]]

/** At least two, named A, B, … */
export function parties(given: Given, count: number): Promise<Parties> {
  return startAll(count, (name) => given.party(name))
}

/** The same for cases to which sessions and their end do not matter. */
export function calmParties(given: Given, count: number): Promise<Parties> {
  return startAll(count, (name) => calmParty(given, name))
}

/** How many times T the session of a calm client lives: a busy machine is not what its case is about. */
const CALM_TTLS = 3

export function calmParty(given: Given, name: string): Promise<Party> {
  return given.party(name, { sessionTtlMs: CALM_TTLS * given.T })
}

/** Three, where each has a part of its own. */
export async function calmTrio(given: Given): Promise<readonly [Party, Party, Party]> {
  return [await calmParty(given, 'A'), await calmParty(given, 'B'), await calmParty(given, 'C')]
}

async function startAll(count: number, start: (name: string) => Promise<Party>): Promise<Parties> {
  const names = Array.from({ length: count }, (_, at) => nameOf(at))
  const [first, second, ...others] = await Promise.all(names.map(start))
  if (first === undefined || second === undefined) throw new RangeError('there must be two parties or more')
  return [first, second, ...others]
}

function nameOf(at: number): string {
  const letter = String.fromCharCode(65 + (at % 26))
  return at < 26 ? letter : `${letter}${Math.floor(at / 26)}`
}
