/** Cases X21, X22 and X27: listeners that fail, waiting for a leadership, and leading as one call. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { lead } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import {
  elect,
  expectLeader,
  expectTurns,
  failoverMs,
  logTerms,
  queue,
  takeOver,
  untilElected,
} from './election-steps.ts'
import { underWay } from './group-calls.ts'
import { calmParties } from './storage-clients.ts'
import { failure, refusal } from './storage-steps.ts'

export const electionWaiting: readonly ConformanceCase[] = [
  {
    id: 'X21',
    title: 'a listener that fails when it is told of an election changes nothing, but is logged',
    run: badListener,
  },
  { id: 'X22', title: 'whoever waits for a leadership is answered, however the candidacy ends', run: awaiting },
  {
    id: 'X27',
    title: 'lead gives the leadership up when its body has settled, not before, and also if it failed',
    run: leading,
  },
]

async function badListener(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const failing = {
    onLeaderChange: () => undefined,
    onElected(): void {
      throw new Error('thrown by a listener')
    },
    async onLeadershipLost(): Promise<void> {
      throw new Error('rejected by a listener')
    },
  }
  await a.election().addListener(failing)
  const log = await logTerms(a.election())
  const leadership = await elect(a, 'a')
  await queue(b, 'b')
  expect(log.elected, 'elections that the other listener was told of').to.have.length(1)
  const said = (text: string) => a.logged.some((line) => line.includes(text))
  await given.until('the exception is logged', () => said('thrown by a listener'))
  await given.always('it leads on', () => leadership.held, given.T / 2)
  await expectLeader([a, b], 'a')
  await a.election().resign('a')
  await given.until('the rejection is logged', () => said('rejected by a listener'))
  await untilElected(given, b, 'b')
  expectTurns(log)
}

async function awaiting(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const wait = (candidate: string, options = {}) => underWay(b.election().awaitLeadership(candidate, options))
  await refusal('LEADERSHIP_LOST', 'waiting without a candidacy', wait('unknown').result)
  const leadership = await elect(a, 'a')
  expect((await a.election().awaitLeadership('a')).token, 'what a leader that waits is given').to.equal(
    leadership.token,
  )
  await queue(b, 'b')
  await queue(b, 'withdraws')

  const abort = new AbortController()
  const reason = new Error('no longer wanted')
  const elected = wait('b')
  const [aborted, withdrawn] = [wait('b', { signal: abort.signal }), wait('withdraws')]
  await refusal('TIMEOUT', 'waiting longer than timeoutMs', wait('b', { timeoutMs: 50 }).result)
  await given.always('they wait', () => ![elected, aborted, withdrawn].some(({ settled }) => settled), given.T / 4)
  abort.abort(reason)
  expect(await failure('a wait that was given up', aborted.result), 'what it rejects with').to.equal(reason)
  await b.election().withdraw('withdraws')
  await refusal('LEADERSHIP_LOST', 'waiting for who withdraws', withdrawn.result)
  expect(elected.settled, 'whether the other one still waits').to.equal(false)

  await a.election().resign('a')
  await refusal('LEADERSHIP_LOST', 'waiting for who has resigned', a.election().awaitLeadership('a'))
  const won = await elected.result
  expect(won.held, 'whether who waited holds what it was given').to.equal(true)
  expect(b.election().leadership('b')?.token, 'the token of who was waited for').to.equal(won.token)

  await queue(a, 'a')
  const closing = underWay(a.election().awaitLeadership('a'))
  const closed = underWay(a.locator.shutdown())
  await refusal('CLOSED', 'waiting with a client that closes', closing.result)
  await closed.result
}

async function leading(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const order: string[] = []
  const abort = new AbortController()
  const first = underWay(
    lead(
      a.election(),
      'a',
      async (leadership, signal) => {
        order.push(leadership.held ? 'A leads' : 'A does not lead')
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true })
        })
        await sleep(given.T / 10)
        order.push(leadership.held ? 'A stops, leading' : 'A stops too late')
        return 'done'
      },
      { signal: abort.signal },
    ),
  )
  await given.until('A leads', () => order.length === 1)
  const broken = new Error('thrown by the body')
  const second = underWay(
    lead(b.election(), 'b', async () => {
      order.push('B leads')
      throw broken
    }),
  )
  await given.always('B waits while A leads', () => order.length === 1, given.T / 4)
  abort.abort()
  expect(await first.result, 'what lead returns').to.equal('done')
  expect(await failure('lead with a body that throws', second.result), 'what it rejects with').to.equal(broken)
  expect(order, 'the order of it all').to.deep.equal(['A leads', 'A stops, leading', 'B leads'])
  await expectLeader([a, b], undefined)

  // a term that is taken away
  const evicted = underWay(
    lead(a.election(), 'a', async (leadership, signal) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve, { once: true })
      })
      order.push(leadership.held ? 'aborted while it holds' : 'aborted, evicted')
    }),
  )
  await untilElected(given, a, 'a')
  await takeOver(b, 'a')
  await given.until('the body has been told', () => evicted.settled, failoverMs(given))
  await evicted.result
  expect(order.at(-1), 'what the body saw').to.equal('aborted, evicted')
  await expectLeader([a, b], 'a')
}
