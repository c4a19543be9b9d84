import { expect } from 'chai'
import { ManualClock } from '../../engine/manual-clock.fixture.ts'
import { KafkaError } from '../../kafka/client/client.ts'
import { encodeBatch } from '../../kafka/client/record-batch.ts'
import type { ScriptedRequest } from '../../kafka/client/scripted-connection.fixture.ts'
import { ScriptedClient } from '../../kafka/client/scripted-connection.fixture.ts'
import { quietLogger } from '../../kafka/client/test-cluster.fixture.ts'
import { codeOf } from '../log-suite.ts'
import { Appender } from './appender.ts'

const BATCH = encodeBatch([Buffer.from('record')])

describe('an append to Kafka', () => {
  let clock: ManualClock
  let sent: ScriptedRequest[]
  let client: ScriptedClient
  let appender: Appender
  let giveUp: AbortController
  beforeEach(() => {
    clock = new ManualClock()
    sent = []
    client = new ScriptedClient((request) => sent.push(request))
    appender = new Appender({ client, topic: 'log', clock, logger: quietLogger })
    giveUp = new AbortController()
  })

  function append(): Promise<number> {
    return appender.append(BATCH, giveUp.signal)
  }

  async function next(): Promise<ScriptedRequest> {
    await clock.advance(1000)
    const request = sent.shift()
    if (request === undefined || sent.length > 0) throw new Error(`${sent.length + 1} requests are under way, not one`)
    return request
  }

  it('resolves with the offset that the broker answers', async () => {
    const appended = append()
    const request = await next()
    expect(request.payload.includes(BATCH)).to.equal(true)
    request.answer(at(42))
    expect(await appended).to.equal(42)
    expect(client.connections).to.equal(1)
  })

  it('takes the connection that was prepared for it, and makes one if that failed', async () => {
    appender.prepare()
    await clock.settle()
    expect(client.connections).to.equal(1)
    client.failures.push(new KafkaError('UNREACHABLE', 'nobody there'))
    appender.prepare()
    await clock.settle()
    const appended = append()
    ;(await next()).answer(at(42))
    expect(await appended).to.equal(42)
    expect(client.connections).to.equal(1)
  })

  for (const answer of ['NOT_LEADER_OR_FOLLOWER', 'REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'] as const) {
    it(`is sent again, with the same bytes, by another connection after ${answer}`, async () => {
      const appended = append()
      const first = await next()
      first.refuse(answer)
      const second = await next()
      expect(second.payload).to.deep.equal(first.payload)
      second.answer(at(7))
      expect(await appended).to.equal(7)
      expect(client.connections).to.equal(2)
    })
  }

  it('is sent again after its connection was lost, and while there is no leader', async () => {
    const appended = append()
    client.failures.push(new KafkaError('UNSETTLED', 'no leader'), new KafkaError('UNREACHABLE', 'nobody there'))
    ;(await next()).breakOff()
    ;(await next()).answer(at(3))
    expect(await appended).to.equal(3)
  })

  it('waits between attempts, ever longer up to a fifth of a second', async () => {
    const appended = append()
    const gaps: number[] = []
    for (let attempt = 0; attempt < 6; attempt++) {
      await clock.settle()
      const before = clock.now()
      sent.shift()?.breakOff()
      while (sent.length === 0) {
        await clock.advance(10)
        await clock.settle()
      }
      gaps.push(clock.now() - before)
    }
    expect(gaps).to.deep.equal([50, 100, 200, 200, 200, 200])
    sent.shift()?.answer(at(0))
    await appended
  })

  for (const answer of ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'TOPIC_AUTHORIZATION_FAILED'] as const) {
    it(`is refused for certain by ${answer}, if nothing was sent before`, async () => {
      const appended = codeOf(append())
      ;(await next()).refuse(answer)
      expect(await appended).to.equal('REFUSED')
    })

    it(`is not refused by ${answer} if an earlier attempt may have landed`, async () => {
      const appended = append()
      ;(await next()).breakOff()
      ;(await next()).refuse(answer)
      ;(await next()).answer(at(5))
      expect(await appended).to.equal(5)
    })
  }

  it('is refused for certain after attempts of which none can have landed', async () => {
    const appended = codeOf(append())
    client.failures.push(new KafkaError('UNREACHABLE', 'nobody there'))
    ;(await next()).refuse('NOT_ENOUGH_REPLICAS')
    ;(await next()).refuse('TOPIC_AUTHORIZATION_FAILED')
    expect(await appended).to.equal('REFUSED')
  })

  it('may have landed at a broker that led when it was sent and did not when it answered', async () => {
    const appended = append()
    ;(await next()).refuse('NOT_LEADER_OR_FOLLOWER')
    ;(await next()).refuse('TOPIC_AUTHORIZATION_FAILED')
    ;(await next()).answer(at(6))
    expect(await appended).to.equal(6)
  })

  it('is refused for certain if the topic is another one before anything was sent', async () => {
    client.failures.push(new KafkaError('UNSAFE_TOPIC', 'made anew'))
    expect(await codeOf(append())).to.equal('REFUSED')
  })

  it('fails with an unknown outcome if the topic is another one after an attempt', async () => {
    const failed = codeOf(append())
    const request = await next()
    client.failures.push(new KafkaError('UNSAFE_TOPIC', 'made anew'))
    request.breakOff()
    await clock.advance(1000)
    expect(await failed).to.equal('APPEND_FAILED')
  })

  it('is given up while its answer is awaited, and its connection with it', async () => {
    const appended = codeOf(append())
    await next()
    giveUp.abort()
    expect(await appended).to.equal('ABORTED')
    giveUp = new AbortController()
    const again = append()
    ;(await next()).answer(at(9))
    expect(await again).to.equal(9)
    expect(client.connections).to.equal(2)
  })

  it('is given up between two attempts', async () => {
    const appended = codeOf(append())
    ;(await next()).breakOff()
    giveUp.abort()
    expect(await appended).to.equal('ABORTED')
    await clock.advance(1000)
    expect(sent).to.deep.equal([])
    expect(clock.timerCount).to.equal(0)
  })

  it('is not sent at all if it was given up before', async () => {
    giveUp.abort()
    expect(await codeOf(append())).to.equal('ABORTED')
    await clock.advance(1000)
    expect(sent).to.deep.equal([])
  })
})

function at(baseOffset: number): unknown {
  return { responses: [{ partitionResponses: [{ baseOffset: BigInt(baseOffset) }] }] }
}
