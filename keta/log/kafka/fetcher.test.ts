import { expect } from 'chai'
import { ManualClock } from '../../engine/manual-clock.fixture.ts'
import { encodeBatch } from '../../kafka/client/record-batch.ts'
import type { ScriptedRequest } from '../../kafka/client/scripted-connection.fixture.ts'
import { ScriptedClient } from '../../kafka/client/scripted-connection.fixture.ts'
import { quietLogger } from '../../kafka/client/test-cluster.fixture.ts'
import { codeOf } from '../log-suite.ts'
import { Fetcher } from './fetcher.ts'

const FETCH = 1
const PATIENCE_MS = 5000

describe('reading from Kafka', () => {
  let clock: ManualClock
  let sent: ScriptedRequest[]
  let client: ScriptedClient
  let fetcher: Fetcher
  beforeEach(() => {
    clock = new ManualClock()
    sent = []
    client = new ScriptedClient((request) => sent.push(request))
    fetcher = new Fetcher({
      client,
      topic: 'log',
      topicId: 'AAAAAAAAAAAAAAAAAAAAAQ',
      clock,
      logger: quietLogger,
      beyondEndPatienceMs: PATIENCE_MS,
      onAnswer: () => undefined,
    })
  })

  async function next(): Promise<ScriptedRequest> {
    await clock.advance(250)
    const request = sent.shift()
    if (request === undefined) throw new Error('no request is under way')
    return request
  }

  it('goes on through lost connections and leaders that moved', async () => {
    const fetched = fetcher.next(0, true)
    ;(await next()).breakOff()
    ;(await next()).refuse('NOT_LEADER_OR_FOLLOWER')
    ;(await next()).refuse('UNKNOWN_TOPIC_ID')
    ;(await next()).answer(answerWith(encodeBatch([Buffer.from('a'), Buffer.from('b')])))
    const { values, nextOffset } = await fetched
    expect(values.map(({ bytes }) => Buffer.from(bytes).toString())).to.deep.equal(['a', 'b'])
    expect(nextOffset).to.equal(2)
    expect(client.connections).to.equal(4)
  })

  it('believes at once that an offset below the start is gone', async () => {
    const fetched = codeOf(fetcher.next(4, true))
    ;(await next()).refuse('OFFSET_OUT_OF_RANGE')
    ;(await next()).answer(offset(5))
    expect(await fetched).to.equal('OUT_OF_RANGE')
  })

  it('believes that an offset is beyond the end only when it has lasted', async () => {
    const fetched = codeOf(fetcher.next(10, true))
    let refusals = 0
    let outcome: unknown
    fetched.then(
      (code) => {
        outcome = code
      },
      () => undefined,
    )
    while (outcome === undefined) {
      const request = await next()
      if (request.key === FETCH) {
        refusals++
        request.refuse('OFFSET_OUT_OF_RANGE')
      } else {
        request.answer(offset(3))
      }
      await clock.settle()
    }
    expect(outcome).to.equal('OUT_OF_RANGE')
    expect(clock.now()).to.be.within(PATIENCE_MS, PATIENCE_MS + 1000)
    expect(refusals).to.be.greaterThan(5)
  })

  it('forgets that an offset was beyond the end when the log has it after all', async () => {
    const fetched = fetcher.next(1, true)
    ;(await next()).refuse('OFFSET_OUT_OF_RANGE')
    ;(await next()).answer(offset(0))
    ;(await next()).answer(answerWith(Buffer.alloc(0)))
    expect((await fetched).nextOffset).to.equal(1)
    clock.standStill(PATIENCE_MS)
    const again = fetcher.next(1, true)
    ;(await next()).refuse('OFFSET_OUT_OF_RANGE')
    ;(await next()).answer(offset(0))
    ;(await next()).answer(answerWith(Buffer.alloc(0)))
    expect((await again).nextOffset).to.equal(1)
  })

  it('reads a batch again whose checksum does not hold, and gives up when it stays so', async () => {
    const damaged = encodeBatch([Buffer.from('a')])
    damaged.writeUInt8((damaged.at(-2) ?? 0) ^ 1, damaged.length - 2)
    const once = fetcher.next(0, true)
    ;(await next()).answer(answerWith(damaged))
    ;(await next()).answer(answerWith(encodeBatch([Buffer.from('a')])))
    expect((await once).values).to.have.length(1)
    const lasting = codeOf(fetcher.next(0, true))
    for (let attempt = 0; attempt < 3; attempt++) (await next()).answer(answerWith(damaged))
    expect(await lasting).to.equal('CORRUPT')
  })

  it('asks anew who leads after a long silence: a broker that is cut off may go on answering', async () => {
    for (let at = 0; at < 60_000; at += 500) {
      const fetched = fetcher.next(0, true)
      await clock.advance(500)
      sent.shift()?.answer(answerWith(Buffer.alloc(0)))
      await fetched
    }
    expect(client.connections).to.equal(4)
    for (let at = 0; at < 60_000; at += 500) {
      const fetched = fetcher.next(0, true)
      await clock.advance(500)
      sent.shift()?.answer(answerWith(encodeBatch([Buffer.from('tick')])))
      await fetched
    }
    expect(client.connections).to.be.at.most(5)
  })

  it('says when reading is not permitted', async () => {
    const fetched = codeOf(fetcher.next(0, true))
    ;(await next()).refuse('TOPIC_AUTHORIZATION_FAILED')
    expect(await fetched).to.equal('REFUSED')
  })

  it('ends with what is under way when closed, and asks for nothing more', async () => {
    const fetched = codeOf(fetcher.next(0, true))
    await next()
    fetcher.close()
    expect(await fetched).to.equal('ABORTED')
    await clock.advance(1000)
    expect(sent).to.deep.equal([])
    expect(clock.timerCount).to.equal(0)
  })
})

function answerWith(batches: Buffer): unknown {
  return { batches, highWatermark: 100, logStartOffset: 0 }
}

function offset(value: number): unknown {
  return { topics: [{ partitions: [{ offset: BigInt(value) }] }] }
}
