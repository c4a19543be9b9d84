/** Steps that election cases share: electing, what a listener was told, who leads, and when all have calmed down. */
import { expect } from 'chai'
import {
  type FencingToken,
  isCoordinationError,
  type LeaderElectionClient,
  type Leadership,
  type ListenOptions,
  type LossReason,
} from '../../spi/index.ts'
import type { Given } from '../kit/case.ts'
import type { Party, RemoteParty } from '../kit/party.ts'
import { SLACK_MS } from './group-steps.ts'

/** The service of cases that must name it, to a routine or a hook. */
export const SERVICE = 'controller'

/** Makes the party leader of a service that nobody leads. */
export async function elect({ name, election }: Party, candidate: string, service?: string): Promise<Leadership> {
  const client = election(service)
  expect(await client.nominate(candidate), `whether ${name} is elected where nobody leads`).to.equal(true)
  const leadership = client.leadership(candidate)
  if (leadership === undefined) throw new Error(`${name} was elected, but has no leadership`)
  return leadership
}

/** Makes the party a candidate that waits behind a leader. */
export async function queue(
  { name, election }: Party | RemoteParty,
  candidate: string,
  service?: string,
): Promise<void> {
  const isElected = await election(service).nominate(candidate)
  expect(isElected, `whether ${name} is elected while another leads`).to.equal(false)
}

/**
 * Evicts the leader of that name and leads in its place. Another candidate, the evicted one too, may step into the gap:
 * then once more.
 */
export async function takeOver({ name, election }: Party, candidate: string): Promise<Leadership> {
  for (let attempt = 0; attempt < TAKEOVERS; attempt++) {
    const isElected = await election().nominate(candidate, { takeover: true })
    const leadership = election().leadership(candidate)
    if (isElected && leadership !== undefined) return leadership
    await election().withdraw(candidate)
  }
  throw new Error(`${name} did not come to lead as ${candidate} by ${TAKEOVERS} takeovers`)
}

const TAKEOVERS = 10

/** The leadership of a candidate that has to get it. */
export function untilElected(
  given: Given,
  { name, election }: Party,
  candidate: string,
  { withinMs, service }: { readonly withinMs?: number; readonly service?: string } = {},
): Promise<Leadership> {
  const leadership = () => election(service).leadership(candidate)
  return given.until(`${name} leads as ${candidate}`, leadership, withinMs ?? given.T + given.graceMs + SLACK_MS)
}

/** How long it takes until a silent one is out and another in, on a busy machine. Milliseconds. */
export function failoverMs({ T, graceMs }: Given): number {
  return 2 * T + graceMs + SLACK_MS
}

export interface TermLog {
  readonly elected: readonly Leadership[]
  readonly lost: readonly TermLoss[]
  /** 'elected 7', 'lost 7' of each candidate, in order. */
  readonly turns: ReadonlyMap<string, readonly string[]>
  /** What onLeaderChange was told. */
  readonly leaders: readonly (string | undefined)[]
}

export interface TermLoss {
  readonly token: FencingToken
  readonly reason: LossReason
  /** As of the moment when the listener was told. */
  readonly aborted: boolean
  readonly held: boolean
}

/** Writes down what a listener of this client is told, from now on. */
export async function logTerms(client: LeaderElectionClient, options?: ListenOptions): Promise<TermLog> {
  const elected: Leadership[] = []
  const lost: TermLoss[] = []
  const turns = new Map<string, string[]>()
  const leaders: (string | undefined)[] = []
  const note = ({ candidate, token }: Leadership, what: string) => {
    turns.set(candidate, [...(turns.get(candidate) ?? []), `${what} ${token}`])
  }
  const listener = {
    onLeaderChange(leader: string | undefined) {
      leaders.push(leader)
    },
    onElected(leadership: Leadership) {
      note(leadership, 'elected')
      elected.push(leadership)
    },
    onLeadershipLost(leadership: Leadership, reason: LossReason) {
      note(leadership, 'lost')
      const { token, held, signal } = leadership
      lost.push({ token, reason, held, aborted: signal.aborted })
    },
  }
  await client.addListener(listener, options)
  return { elected, lost, turns, leaders }
}

/** Elected and lost in turn, each pair of one token, the tokens rising. */
export function expectTurns({ turns }: TermLog): void {
  for (const [candidate, told] of turns) {
    let before = -1n
    for (const [index, turn] of told.entries()) {
      const [what = '', token = ''] = turn.split(' ')
      const story = `of ${candidate}: ${told.join(', ')}`
      expect(what, `callback ${index + 1} ${story}`).to.equal(index % 2 === 0 ? 'elected' : 'lost')
      if (what === 'lost')
        expect(told[index - 1], `what is lost was what was won ${story}`).to.equal(`elected ${token}`)
      else expect(BigInt(token) > before, `whether tokens rise ${story}`).to.equal(true)
      before = BigInt(token)
    }
  }
}

/** Fails unless all the clients see this leader. */
export async function expectLeader(
  parties: readonly Party[],
  candidate: string | undefined,
  service?: string,
): Promise<void> {
  for (const { name, election } of parties) {
    expect(await election(service).getLeader(), `the leader as ${name} sees it`).to.equal(candidate)
  }
}

/** What the call gives, or undefined if it fails as calls do that cannot reach the store or have lost their session. */
export async function unlessDisturbed<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (isCoordinationError(error) && DISTURBED.has(error.code)) return undefined
    throw error
  }
}

const DISTURBED: ReadonlySet<string> = new Set(['CONNECTION', 'TIMEOUT', 'SESSION_LOST', 'OVERLOADED'])

/** Makes it a candidate again whatever it is now, through disturbances. */
export async function stand(given: Given, { name, election }: RemoteParty, service: string): Promise<void> {
  const nominate = async () => {
    try {
      await election(service).nominate(name)
      return true
    } catch (error) {
      if (isCoordinationError(error, 'CANDIDATE_EXISTS')) return true
      if (isCoordinationError(error) && DISTURBED.has(error.code)) return false
      throw error
    }
  }
  await given.until(`${name} is a candidate`, nominate, 4 * failoverMs(given))
}
