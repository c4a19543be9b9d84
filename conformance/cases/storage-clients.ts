/** Several clients for one case. */
import type { Given } from '../kit/case.ts'
import type { Party } from '../kit/party.ts'

export type Parties = readonly [Party, Party, ...Party[]]

/** At least two, named A, B, … */
export async function parties(given: Given, count: number): Promise<Parties> {
  const names = Array.from({ length: count }, (_, at) => nameOf(at))
  const [first, second, ...others] = await Promise.all(names.map((name) => given.party(name)))
  if (first === undefined || second === undefined) throw new RangeError('there must be two parties or more')
  return [first, second, ...others]
}

function nameOf(at: number): string {
  const letter = String.fromCharCode(65 + (at % 26))
  return at < 26 ? letter : `${letter}${Math.floor(at / 26)}`
}
