import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CoordinationError, type ErrorDetails, type ErrorCode } from '../../spi/index.ts'
import { type ManualClock, makeManualClock } from '../memory/manual-clock.fixture.ts'
import { caught } from './caught.fixture.ts'
import { makeCalls } from './calls.ts'
import { deferred } from './deferred.ts'
import type { Call } from './driver.ts'
import type { Calls } from './kernel.ts'

const about = { what: 'put', key: '/a' }

describe('calls to the driver', () => {
  let clock: ManualClock
  let closing: AbortController
  let calls: Calls

  beforeEach(() => {
    clock = makeManualClock()
    closing = new AbortController()
    calls = made(true)
  })

  function made(linearizableReads: boolean): Calls {
    const context = { clock, random: () => 0.5, sessionTimeoutMs: 1_000 }
    return makeCalls({ context, capabilities: { backend: 'double', linearizableReads }, closing: closing.signal })
  }

  function fail(code: ErrorCode, details: ErrorDetails = {}): () => Promise<never> {
    return () => Promise.reject(new CoordinationError(code, `${code}!`, { backend: 'double', ...details }))
  }

  /** Attempts in turn; then the last one again. */
  function script<T>(...attempts: ((call: Call) => Promise<T>)[]): ((call: Call) => Promise<T>) & { count: number } {
    const attempt = Object.assign((call: Call) => attempts[Math.min(attempt.count++, attempts.length - 1)]!(call), {
      count: 0,
    })
    return attempt
  }

  /** Lets back-offs pass. */
  async function pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 5) {
      await nextTurn()
      clock.advance(5)
    }
    await nextTurn()
  }

  const never = () => deferred<never>().promise
  const lost = fail('CONNECTION')
  const unsent = fail('CONNECTION', { effect: 'none' })

  it('gives what the attempt gives, and leaves no timer', async () => {
    expect(await calls.run(about, undefined, async () => 1)).to.equal(1)
    expect(clock.waiting).to.equal(0)
  })

  it('tries again what was not sent, after a pause', async () => {
    const attempt = script(unsent, fail('OVERLOADED'), async () => 'done')
    const call = calls.run(about, undefined, attempt)
    await nextTurn()
    expect(attempt.count).to.equal(1)
    await pass(50)
    expect(await call).to.equal('done')
    expect(attempt.count).to.equal(3)
  })

  it('runs once what may have happened; repeats it if that is safe', async () => {
    const once = script(lost, async () => 'done')
    expect(await caught(calls.run(about, undefined, once))).to.include({ code: 'CONNECTION', effect: 'unknown' })
    expect(once.count).to.equal(1)
    for (const kind of ['repeat', 'read'] as const) {
      const call = calls[kind](
        about,
        undefined,
        script<string>(lost, async () => 'done'),
      )
      await pass(20)
      expect(await call).to.equal('done')
    }
  })

  it('does not repeat a refusal', async () => {
    const attempt = script(fail('AUTHORIZATION'))
    expect((await caught(calls.repeat(about, undefined, attempt))).code).to.equal('AUTHORIZATION')
    expect(attempt.count).to.equal(1)
  })

  it('tells the last CONNECTION error when the time is up between attempts', async () => {
    const call = caught(calls.run(about, { timeoutMs: 100 }, unsent))
    await pass(105)
    const error = await call
    expect(error).to.include({ code: 'CONNECTION', effect: 'none', retriable: true, key: '/a', backend: 'double' })
    expect(error.cause).to.include({ message: 'CONNECTION!' })
  })

  it('tells TIMEOUT with an unknown effect when the time is up during an attempt, whatever failed before', async () => {
    const call = caught(calls.run(about, { timeoutMs: 100 }, script<never>(unsent, never)))
    await pass(105)
    expect(await call).to.include({ code: 'TIMEOUT', effect: 'unknown', retriable: false })
  })

  it('tells servers that refuse from servers that are silent, at whatever moment the time is up', async () => {
    const attempt = (code: ErrorCode, takesMs: number) => () =>
      new Promise<never>((_resolve, reject) => {
        clock.setTimeout(() => reject(new CoordinationError(code, code, { effect: 'none' })), takesMs)
      })
    for (let timeoutMs = 50; timeoutMs < 400; timeoutMs += 10) {
      for (const code of ['CONNECTION', 'TIMEOUT'] as const) {
        const call = caught(calls.read(about, { timeoutMs }, attempt(code, 20)))
        await pass(timeoutMs)
        expect(await call, `after ${timeoutMs} ms`).to.include({ code, effect: 'none', retriable: true })
      }
    }
  })

  it('remembers an attempt without a reply when a later one was not sent', async () => {
    const call = caught(calls.repeat(about, { timeoutMs: 100 }, script<never>(lost, unsent)))
    await pass(105)
    expect(await call).to.include({ code: 'TIMEOUT', effect: 'unknown', retriable: true })
  })

  it('says of a read that it did nothing, however it ended', async () => {
    const timeout = caught(calls.read(about, { timeoutMs: 100 }, never))
    await pass(100)
    expect(await timeout).to.include({ code: 'TIMEOUT', effect: 'none', retriable: true })
    const closed = caught(calls.read(about, undefined, never))
    closing.abort()
    expect(await closed).to.include({ code: 'CLOSED', effect: 'none' })
  })

  it('takes the session timeout by default, and shows each attempt what is left', async () => {
    const left: number[] = []
    const call = caught(
      calls.run(about, undefined, (one) => {
        left.push(one.timeoutMs)
        return unsent()
      }),
    )
    await pass(1_000)
    await call
    expect(left[0]).to.equal(1_000)
    expect(left.at(-1)).to.be.below(500)
  })

  it('rejects at once with the reason on abort, and tells the attempt', async () => {
    const abort = new AbortController()
    let seen: AbortSignal | undefined
    const call = calls.run(about, { signal: abort.signal }, (one) => {
      seen = one.signal
      return never()
    })
    const reason = new Error('changed my mind')
    abort.abort(reason)
    expect(await call.catch((error: unknown) => error)).to.equal(reason)
    expect(seen?.aborted).to.equal(true)
    expect(clock.waiting).to.equal(0)
  })

  it('starts nothing that is aborted or closed before', async () => {
    const attempt = script(async () => 1)
    const signal = AbortSignal.abort(new Error('early'))
    expect(await calls.run(about, { signal }, attempt).catch((error: unknown) => error)).to.equal(signal.reason)
    closing.abort()
    expect(await caught(calls.run(about, undefined, attempt))).to.include({ code: 'CLOSED', effect: 'none' })
    expect(attempt.count).to.equal(0)
  })

  it('rejects CLOSED on closing, with the effect unknown if something is on its way', async () => {
    const pending = caught(calls.run(about, undefined, never))
    const between = caught(calls.run(about, undefined, unsent))
    await nextTurn()
    closing.abort()
    expect(await pending).to.include({ code: 'CLOSED', effect: 'unknown' })
    expect(await between).to.include({ code: 'CLOSED', effect: 'none' })
  })

  it('takes what is no CoordinationError for a fault of the driver', async () => {
    const cause = new TypeError('x is not a function')
    const error = await caught(calls.run(about, undefined, () => Promise.reject(cause)))
    expect(error).to.include({ code: 'INTERNAL', effect: 'unknown', cause, backend: 'double' })
    const thrown = () => {
      throw cause
    }
    expect((await caught(calls.read(about, undefined, thrown))).code).to.equal('INTERNAL')
  })

  it('refuses a time limit that is none', async () => {
    for (const timeoutMs of [-1, NaN]) {
      expect((await caught(calls.run(about, { timeoutMs }, never))).code).to.equal('INVALID_ARGUMENT')
    }
  })

  it('reads as consistently as it can unless told; what it cannot is refused when asked for', async () => {
    const seen: string[] = []
    const read = (from: Calls, consistency?: 'linearizable' | 'sequential') =>
      from.read(about, consistency && { consistency }, async (call) => seen.push(call.consistency))
    await read(calls)
    await read(calls, 'sequential')
    const weak = made(false)
    await read(weak)
    expect(seen).to.deep.equal(['linearizable', 'sequential', 'sequential'])
    expect((await caught(read(weak, 'linearizable'))).code).to.equal('UNSUPPORTED')
  })

  it('waits for an event without a limit, and fails as it fails, once', async () => {
    const event = deferred<string>()
    const waiting = calls.wait(about, undefined, event.promise)
    await pass(5_000)
    event.resolve('there')
    expect(await waiting).to.equal('there')
    expect((await caught(calls.wait(about, undefined, lost()))).code).to.equal('CONNECTION')
    const late = caught(calls.wait(about, { timeoutMs: 50 }, never()))
    await pass(50)
    expect(await late).to.include({ code: 'TIMEOUT', effect: 'none' })
  })

  it('reports steps as their progress says', async () => {
    const steps = (effect: 'none' | 'unknown') =>
      caught(
        calls.steps(about, { timeoutMs: 50 }, (_call, progress) => {
          progress.effect = effect
          return never()
        }),
      )
    const ended = Promise.all([steps('none'), steps('unknown')])
    await pass(50)
    const [none, unknown] = await ended
    expect([none.effect, none.retriable]).to.deep.equal(['none', true])
    expect([unknown.effect, unknown.retriable]).to.deep.equal(['unknown', false])
  })

  it('uses one listener of a signal for a hundred calls', async () => {
    const warnings: string[] = []
    const onWarning = (warning: Error) => warnings.push(warning.message)
    process.on('warning', onWarning)
    const { signal } = new AbortController()
    const all = Array.from({ length: 100 }, () => caught(calls.run(about, { signal }, never)))
    await nextTurn()
    closing.abort()
    await Promise.all(all)
    process.off('warning', onWarning)
    expect(warnings).to.deep.equal([])
  })
})
