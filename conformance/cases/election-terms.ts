/**
 * The heart of an election: no two processes may act as leader at one time, whatever is done to them. Each process
 * tells from within, by the one clock of all, when it could act; afterwards the terms of all are compared.
 */
import { expect } from 'chai'
import type { FencingToken } from '../../spi/index.ts'
import type { RemoteEvent, RemoteParty } from '../kit/party.ts'

/** From the first to the last moment at which a process could act with this token. Milliseconds. */
export interface Term {
  readonly service: string
  readonly process: string
  readonly token: FencingToken
  readonly from: number
  readonly to: number
}

/** What a recorded process tells: the event `routine` with `what: 'term'`; repeated as the term goes on. */
export type TermClaim = Omit<Term, 'process'>

export interface RecordTermsArgs {
  readonly service: string
  readonly candidate: string
}

/** Starts recording in the party's process, for as long as it lives. Before the candidate is nominated. */
export async function recordTerms(party: RemoteParty, service: string, candidate: string): Promise<void> {
  await party.run('recordTerms', { service, candidate } satisfies RecordTermsArgs)
}

/** All terms of recorded processes so far, in the order of their beginnings. Of killed ones too. */
export function termsOf(parties: readonly RemoteParty[]): Term[] {
  return parties.flatMap(termsOfOne).sort((a, b) => a.from - b.from)
}

/** Fails unless the terms are exclusive and their tokens rise; and unless there were at least `atLeast`. */
export function expectExclusiveTerms(parties: readonly RemoteParty[], atLeast: number): void {
  const terms = termsOf(parties)
  // in full: an assertion would cut it short
  const problems = termProblems(terms)
  if (problems.length > 0) expect.fail(`the terms are not exclusive, or out of order: ${problems.join('; ')}`)
  expect(terms.length, 'how many terms there were: too few to show anything').to.be.at.least(atLeast)
}

/** What is wrong with the terms, one sentence each. */
export function termProblems(terms: readonly Term[]): string[] {
  const services = new Set(terms.map(({ service }) => service))
  return [...services].flatMap((service) => problemsOfOne(terms.filter((term) => term.service === service)))
}

function problemsOfOne(terms: readonly Term[]): string[] {
  const problems: string[] = []
  let previous: Term | undefined
  let longest: Term | undefined
  for (const term of [...terms].sort((a, b) => a.from - b.from)) {
    if (longest !== undefined && term.from <= longest.to) {
      const shared = (Math.min(term.to, longest.to) - term.from).toFixed(3)
      problems.push(`${describe(longest)} was not over when ${describe(term)} began: both held for ${shared} ms`)
    }
    if (previous !== undefined && term.token <= previous.token) {
      problems.push(`${describe(term)} came after ${describe(previous)}, but its token is not greater`)
    }
    previous = term
    if (longest === undefined || term.to > longest.to) longest = term
  }
  return problems
}

function describe({ process, service, token, from, to }: Term): string {
  return `term ${token} of ${process} over ${service} [${from.toFixed(3)}, ${to.toFixed(3)}]`
}

function termsOfOne({ name, pid, events }: RemoteParty): Term[] {
  const terms = new Map<string, Term>()
  for (const claim of events.flatMap(claimIn)) {
    const key = JSON.stringify([claim.service, String(claim.token)])
    const known = terms.get(key)
    const from = Math.min(claim.from, known?.from ?? Infinity)
    const to = Math.max(claim.to, known?.to ?? -Infinity)
    terms.set(key, { ...claim, process: `${name} (${pid})`, from, to })
  }
  return [...terms.values()]
}

function claimIn(event: RemoteEvent): TermClaim[] {
  return event.type === 'routine' && event.what === 'term' ? [event.details as TermClaim] : []
}
