import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { CoordinationError, isCoordinationError } from '../errors.ts'
import type { LeaderElectionClient, Leadership, NominateOptions } from '../leader-election.ts'
import type { OpOptions } from '../options.ts'
import { rejection } from './doubles.fixture.ts'
import { lead } from './lead.ts'

/** An election that is won when the test says so, and tells what was asked of it. */
function makeElection() {
  const calls: string[] = []
  const term = new AbortController()
  let win: (leadership: Leadership) => void = () => {}
  const won = new Promise<Leadership>((resolve) => {
    win = resolve
  })
  const leadership = { service: 's', token: 1n, candidate: 'a', signal: term.signal } as unknown as Leadership
  const double = {
    calls,
    leadership,
    elect: () => win(leadership),
    lose: () => term.abort(new CoordinationError('LEADERSHIP_LOST', 'lost')),
    nominateFails: undefined as Error | undefined,
    withdrawFails: undefined as Error | undefined,
    async nominate(candidate: string, options: NominateOptions = {}) {
      calls.push(`nominate ${candidate} ${options.timeoutMs}`)
      if (double.nominateFails) throw double.nominateFails
      return false
    },
    awaitLeadership(_candidate: string, { signal }: OpOptions = {}) {
      calls.push('await')
      return new Promise<Leadership>((resolve, reject) => {
        won.then(resolve, reject)
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
      })
    },
    async withdraw(candidate: string, options: OpOptions = {}) {
      calls.push(`withdraw ${candidate} ${options.timeoutMs} ${options.signal?.aborted}`)
      if (double.withdrawFails) throw double.withdrawFails
    },
  }
  return double as typeof double & LeaderElectionClient
}

const WITHDRAWN = 'withdraw a undefined undefined'

describe('lead', () => {
  it('waits for its turn, runs the body, and gives up when the body has settled, not before', async () => {
    const election = makeElection()
    let finish: (value: string) => void = () => {}
    const led = lead(election, 'a', (leadership) => {
      election.calls.push(`body ${leadership.token}`)
      return new Promise<string>((resolve) => {
        finish = resolve
      })
    })
    await turn()
    expect(election.calls).to.deep.equal(['nominate a undefined', 'await'])
    election.elect()
    await turn()
    election.lose()
    await turn()
    expect(election.calls.slice(2)).to.deep.equal(['body 1'])
    finish('done')
    expect(await led).to.equal('done')
    expect(election.calls.slice(3)).to.deep.equal([WITHDRAWN])
  })

  it('gives up when the body throws, and throws the same', async () => {
    const election = makeElection()
    const failure = new Error('in the body')
    election.elect()
    expect(await rejection(lead(election, 'a', () => Promise.reject(failure)))).to.equal(failure)
    expect(election.calls.at(-1)).to.equal(WITHDRAWN)
    election.withdrawFails = new Error('no store')
    expect(await rejection(lead(election, 'a', () => Promise.reject(failure)))).to.equal(failure)
  })

  it('tells the body of the end of its term and of the caller’s abort', async () => {
    for (const end of ['lose', 'abort'] as const) {
      const election = makeElection()
      const abort = new AbortController()
      election.elect()
      const until = (_: Leadership, signal: AbortSignal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(signal.reason))
        })
      const led = lead(election, 'a', until, { signal: abort.signal })
      await turn()
      if (end === 'lose') election.lose()
      else abort.abort('enough')
      const reason = await led
      if (end === 'lose') expect(isCoordinationError(reason, 'LEADERSHIP_LOST')).to.equal(true)
      else expect(reason).to.equal('enough')
      expect(election.calls.at(-1)).to.equal(WITHDRAWN)
    }
  })

  it('ends the waiting with the reason of an abort, and the candidacy without the aborted signal', async () => {
    const election = makeElection()
    const abort = new AbortController()
    const reason = new Error('enough')
    const led = rejection(lead(election, 'a', () => Promise.resolve(), { signal: abort.signal, timeoutMs: 9 }))
    await turn()
    abort.abort(reason)
    expect(await led).to.equal(reason)
    expect(election.calls).to.deep.equal(['nominate a 9', 'await', 'withdraw a 9 undefined'])
  })

  it('does not touch a candidacy of that id that it has not begun', async () => {
    const election = makeElection()
    election.nominateFails = new CoordinationError('CANDIDATE_EXISTS', 'runs already')
    expect(await rejection(lead(election, 'a', () => Promise.resolve()))).to.equal(election.nominateFails)
    expect(election.calls).to.have.length(1)
  })

  it('ends a candidacy that it may have begun', async () => {
    const election = makeElection()
    election.nominateFails = new CoordinationError('TIMEOUT', 'no reply')
    expect(await rejection(lead(election, 'a', () => Promise.resolve()))).to.equal(election.nominateFails)
    expect(election.calls.at(-1)).to.equal(WITHDRAWN)
  })

  it('says so if giving up fails', async () => {
    const election = makeElection()
    election.elect()
    election.withdrawFails = new CoordinationError('CONNECTION', 'no store')
    expect(await rejection(lead(election, 'a', () => Promise.resolve(1)))).to.equal(election.withdrawFails)
  })
})
