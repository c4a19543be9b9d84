/** Clients of cases to which sessions and their end do not matter. */
import type { Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'

export type Parties = readonly [Party, Party, ...Party[]]

/** How many times T such a client's session lives: a busy machine is not what the case is about. */
const TTLS = 3

export function client(given: Given, name: string): Promise<Party> {
  return given.party(name, { sessionTtlMs: TTLS * given.T })
}

/** At least two, named A, B, … */
export async function parties(given: Given, count: number): Promise<Parties> {
  const names = Array.from({ length: count }, (_, at) => nameOf(at))
  const [first, second, ...others] = await Promise.all(names.map((name) => client(given, name)))
  if (first === undefined || second === undefined) throw new RangeError('there must be two parties or more')
  return [first, second, ...others]
}

function nameOf(at: number): string {
  const letter = String.fromCharCode(65 + (at % 26))
  return at < 26 ? letter : `${letter}${Math.floor(at / 26)}`
}
