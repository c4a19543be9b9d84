import { expect } from 'chai'
import { ManualClock } from '../../engine/manual-clock.fixture.ts'
import { KafkaError } from './client.ts'
import { untilReachable } from './until-reachable.ts'

describe('waiting for Kafka', () => {
  const unreachable = new KafkaError('UNREACHABLE', 'no broker can be reached')
  let clock: ManualClock
  let lines: string[]
  let stop: AbortController
  let failures: Error[]
  let attempts: number
  beforeEach(() => {
    clock = new ManualClock()
    lines = []
    stop = new AbortController()
    failures = []
    attempts = 0
  })

  function wait(): Promise<string> {
    const line = (message: string, fields?: object): void => {
      lines.push(`${message} ${JSON.stringify(fields)}`)
    }
    const attempt = (): Promise<string> => {
      attempts++
      const failure = failures.shift()
      return failure === undefined ? Promise.resolve('there') : Promise.reject(failure)
    }
    return untilReachable(attempt, { clock, logger: { info: line, warn: line }, signal: stop.signal })
  }

  it('says nothing when it is there at once', async () => {
    expect(await wait()).to.equal('there')
    expect(lines).to.deep.equal([])
  })

  it('tries again ever more seldom, and tells so every few seconds and at the end', async () => {
    failures = Array.from({ length: 12 }, () => unreachable)
    const waiting = wait()
    await clock.advance(60_000)
    expect(await waiting).to.equal('there')
    expect(attempts).to.equal(13)
    expect(lines[0]).to.include('waiting for Kafka: trying again').and.include('no broker can be reached')
    expect(lines.at(-1)).to.include('waiting for Kafka: works again')
    expect(lines).to.have.length.within(3, 5)
  })

  it('does not wait for what does not pass', async () => {
    failures = [new KafkaError('NOT_AUTHENTICATED', 'wrong password')]
    expect(await wait().catch((error: unknown) => error)).to.have.property('code', 'NOT_AUTHENTICATED')
    expect(attempts).to.equal(1)
  })

  it('ends with the last failure when told to stop', async () => {
    failures = Array.from({ length: 100 }, () => unreachable)
    const waiting = wait().catch((error: unknown) => error)
    await clock.advance(1000)
    stop.abort()
    expect(await waiting).to.equal(unreachable)
    expect(clock.timerCount).to.equal(0)
  })
})
