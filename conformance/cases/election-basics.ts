/** Cases X1–X5: nominating, resigning, withdrawing. */
import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { isCoordinationError, type LossReason, makeEntry, versionOf } from '../../spi/index.ts'
import type { ConformanceCase, Given } from '../kit/case.ts'
import {
  elect,
  expectLeader,
  expectTurns,
  failoverMs,
  logTerms,
  queue,
  SERVICE,
  untilElected,
} from './election-steps.ts'
import { underWay } from './group-calls.ts'
import { calmParties, calmTrio } from './storage-clients.ts'
import { expectBytes, failure, refusal } from './storage-steps.ts'

export const electionBasics: readonly ConformanceCase[] = [
  { id: 'X1', title: 'who is nominated where nobody leads is leader at once, and everybody sees it', run: vacant },
  {
    id: 'X2',
    title: 'who is nominated behind a leader stays a candidate, and wins when the leader resigns or dies',
    needs: ['processes'],
    run: waitsItsTurn,
  },
  {
    id: 'X3',
    title: 'resigning waits until the duties are stopped, lets go then, and does not win again',
    run: resignAfterDuties,
  },
  {
    id: 'X4',
    title: 'resigning does nothing for who does not lead, and can be repeated when the store could not be reached',
    needs: ['links'],
    run: resignAgain,
    extraTtls: 6,
  },
  { id: 'X5', title: 'who has withdrawn does not win, whether it led or waited', run: withdraw },
]

async function vacant(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  expect(a.election().leadership('a'), 'a leadership before any nomination').to.equal(undefined)
  await expectLeader([a, b], undefined)
  expect(await b.election().leader(), 'who leads before any nomination').to.equal(undefined)
  const log = await logTerms(a.election())
  const isElected = await a.election().nominate('a', { data: 'host:9092' })
  // not after some time: when nominate has said true, the callback has been
  expect(
    log.elected.map(({ candidate }) => candidate),
    'who was told to be elected',
  ).to.deep.equal(['a'])
  expect(isElected, 'what nominate says where nobody leads').to.equal(true)
  const leadership = a.election().leadership('a')
  if (leadership === undefined) throw new Error('nominate said true, but there is no leadership')
  expect(leadership.token, 'the token of the callback and of the leadership').to.equal(log.elected[0]?.token)
  const { candidate, service, held, signal } = leadership
  expect({ candidate, service, held, over: signal.aborted }, 'the new leadership').to.deep.equal({
    ...{ candidate: 'a', service: a.election().service, held: true, over: false },
  })
  leadership.assertHeld()
  expect(await leadership.verify(), 'what the store says of it').to.equal(true)
  expect(a.election().leadership('b'), 'a leadership as another candidate').to.equal(undefined)
  expect(b.election().leadership('a'), 'a leadership of another client').to.equal(undefined)
  await expectLeader([a, b], 'a')
  for (const { election } of [a, b]) {
    const info = await election().leader()
    if (info === undefined) throw new Error('nobody leads')
    expect({ candidate: info.candidate, token: info.token }).to.deep.equal({ candidate: 'a', token: leadership.token })
    expectBytes(makeEntry('the data of the leader', info.data, versionOf('none')), 'host:9092')
  }
  await refusal('CANDIDATE_EXISTS', 'nominating a candidate twice', a.election().nominate('a'))
  await expectLeader([b], undefined, 'another service')
  expectTurns(log)
}

async function waitsItsTurn(given: Given): Promise<void> {
  const [b, mortal] = [await given.party('B'), await given.process('A')]
  const log = await logTerms(b.election(SERVICE))
  expect(await mortal.election(SERVICE).nominate('a'), 'whether A is elected where nobody leads').to.equal(true)
  await queue(b, 'b', SERVICE)
  expect(b.election(SERVICE).leadership('b'), 'a leadership of who waits').to.equal(undefined)
  await refusal('CANDIDATE_EXISTS', 'nominating a candidate that waits', b.election(SERVICE).nominate('b'))
  await mortal.election(SERVICE).resign('a')
  const first = await untilElected(given, b, 'b', { service: SERVICE })

  await queue(mortal, 'a', SERVICE)
  await b.election(SERVICE).resign('b')
  const { token } = await mortal.election(SERVICE).awaitLeadership('a', failoverMs(given))
  await queue(b, 'b', SERVICE)
  await mortal.kill()
  const second = await untilElected(given, b, 'b', { service: SERVICE })
  expect(first.token < token && token < second.token, 'whether the tokens of three terms rise').to.equal(true)
  expect(await second.verify(), 'what the store says of the last term').to.equal(true)
  expectTurns(log)
}

async function resignAfterDuties(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const order: string[] = []
  const listener = {
    onLeaderChange: () => undefined,
    async onLeadershipLost(_: unknown, reason: LossReason) {
      order.push(`duties end: ${reason}`)
      await sleep(300)
      order.push('duties have ended')
    },
  }
  await a.election().addListener(listener)
  const successor = {
    onLeaderChange: () => undefined,
    onElected() {
      order.push('next')
    },
  }
  await b.election().addListener(successor)
  const old = await elect(a, 'a')
  await queue(b, 'b')
  await a.election().resign('a')
  expect(order.slice(0, 2), 'what happened before resign resolved').to.deep.equal([
    'duties end: resigned',
    'duties have ended',
  ])
  expect(old.held, 'whether who has resigned may still act').to.equal(false)
  expect(old.signal.aborted, 'whether its signal has aborted').to.equal(true)
  await untilElected(given, b, 'b')
  expect(order, 'the order of it all').to.deep.equal(['duties end: resigned', 'duties have ended', 'next'])

  await b.election().resign('b')
  await refusal('LEADERSHIP_LOST', 'waiting for a leadership after resigning', a.election().awaitLeadership('a'))
  const nobody = async () => (await b.election().getLeader()) === undefined
  await given.always('nobody leads: both have resigned', nobody, given.T)
  await elect(a, 'a')
}

async function resignAgain(given: Given): Promise<void> {
  const [a, b] = await calmParties(given, 2)
  const log = await logTerms(a.election())
  await a.election().resign('unknown')
  await elect(a, 'a')
  await queue(b, 'b')
  await b.election().resign('b')
  await b.election().resign('a')
  await a.election().resign('unknown')
  await expectLeader([a, b], 'a')
  const waits = underWay(b.election().awaitLeadership('b'))

  a.link.cut()
  const error = await failure(
    'resigning while the store cannot be reached',
    a.election().resign('a', { timeoutMs: given.T / 4 }),
  )
  const isExpected = isCoordinationError(error, 'CONNECTION') || isCoordinationError(error, 'TIMEOUT')
  expect(isExpected, `whether it fails with CONNECTION or TIMEOUT: ${String(error)}`).to.equal(true)
  a.link.heal()
  // an attempt that the cut has caught may hang for most of the longer session
  const limit = 2 * failoverMs(given)
  await given.until('resigning works once the store can be reached', () => resigns(a.election()), limit)
  await given.until('the other candidate is elected', () => waits.settled, failoverMs(given))
  await a.election().resign('a')
  await a.election().resign('a')
  await expectLeader([a, b], 'b')
  expect(
    log.lost.map(({ reason }) => reason),
    'how often, and why, the resigned one was told',
  ).to.deep.equal(['resigned'])
  expectTurns(log)
  await b.election().resign('b')
  await given.always('who resigned does not win again', () => a.election().leadership('a') === undefined, given.T / 2)
}

async function resigns(client: { resign(candidate: string): Promise<void> }): Promise<boolean> {
  try {
    await client.resign('a')
    return true
  } catch (error) {
    if (isCoordinationError(error, 'CONNECTION') || isCoordinationError(error, 'TIMEOUT')) return false
    throw error
  }
}

async function withdraw(given: Given): Promise<void> {
  const [a, b, c] = await calmTrio(given)
  const log = await logTerms(a.election())
  await a.election().withdraw('unknown')
  await elect(a, 'a')
  await queue(b, 'b')
  await queue(c, 'c')
  await b.election().withdraw('b')
  await b.election().withdraw('b')
  await b.election().withdraw('a')
  await expectLeader([a, b, c], 'a')

  await a.election().withdraw('a')
  expect(
    log.lost.map(({ reason }) => reason),
    'how the leader that withdrew was told',
  ).to.deep.equal(['resigned'])
  await untilElected(given, c, 'c')
  await c.election().withdraw('c')
  const nobody = async () => (await c.election().getLeader()) === undefined
  await given.always('nobody leads: all have withdrawn', nobody, given.T / 2)
  expect(b.election().leadership('b'), 'a leadership of who withdrew while waiting').to.equal(undefined)
  await elect(b, 'b')
  expectTurns(log)
}
