import { expect } from 'chai'
import fc from 'fast-check'
import { sameBytes } from '../data.ts'
import { CoordinationError, isCoordinationError } from '../errors.ts'
import type { Entry } from '../values.ts'
import { type Fault, makeInstantClock, makeStorage, rejection } from './doubles.fixture.ts'
import { modify, type ModifyOptions } from './modify.ts'

const increment = (current: Entry | undefined) => String(Number(current?.text ?? 0) + 1)

function instantly(options: ModifyOptions = {}): ModifyOptions & { clock: ReturnType<typeof makeInstantClock> } {
  return { clock: makeInstantClock(), random: () => 0.5, ...options } as never
}

describe('modify', () => {
  it('creates what is absent and replaces what is there', async () => {
    const storage = makeStorage()
    expect((await modify(storage, '/n', increment))?.text).to.equal('1')
    const entry = await modify(storage, '/n', increment)
    expect(entry).to.include({ key: '/n', text: '2' })
    expect(entry?.version).to.equal((await storage.fetchEntry('/n'))?.version)
    expect(storage.calls.map(({ op }) => op)).to.deep.equal(['fetchEntry', 'put', 'fetchEntry', 'update', 'fetchEntry'])
  })

  it('leaves all as it is if there is nothing to change', async () => {
    const storage = makeStorage()
    expect(await modify(storage, '/n', () => undefined)).to.equal(undefined)
    storage.set('/n', 'x')
    expect((await modify(storage, '/n', async () => undefined))?.text).to.equal('x')
    expect(storage.calls.map(({ op }) => op)).to.deep.equal(['fetchEntry', 'fetchEntry'])
  })

  for (const tellsCurrent of [true, false]) {
    it(`computes anew from what another wrote, ${tellsCurrent ? 'told' : 'not told'} by the store`, async () => {
      const storage = makeStorage()
      storage.tellsCurrent = tellsCurrent
      const others: (string | undefined)[] = ['10', '20', undefined, '30']
      storage.intrude = () => {
        if (others.length > 0) storage.set('/n', others.shift())
      }
      const seen: (string | undefined)[] = []
      const entry = await modify(
        storage,
        '/n',
        (current) => (seen.push(current?.text), increment(current)),
        instantly(),
      )
      expect(entry?.text).to.equal('31')
      expect(seen).to.deep.equal([undefined, '10', '20', undefined, '30'])
      expect(storage.calls.filter(({ op }) => op === 'fetchEntry')).to.have.length(tellsCurrent ? 2 : 5)
    })
  }

  it('loses no increment of many clients', async () => {
    const storage = makeStorage()
    const client = async () => {
      for (let count = 0; count < 50; count++) await modify(storage, '/n', increment, { clock: makeInstantClock() })
    }
    await Promise.all(Array.from({ length: 8 }, client))
    expect(storage.get('/n')).to.equal('400')
  })

  it('waits longer and longer between attempts, at random, up to a bound', async () => {
    const storage = makeStorage()
    let left = 12
    storage.intrude = () => {
      if (left-- > 0) storage.set('/n', `${left}0`)
    }
    const { clock, ...options } = instantly({ random: () => 0.5 })
    await modify(storage, '/n', increment, { clock, ...options })
    expect(clock.waited).to.deep.equal([2, 4, 8, 16, 32, 64, 125, 125, 125, 125, 125, 125])
  })

  it('repeats a write that was lost on its way', async () => {
    const storage = makeStorage()
    const faults: Fault[] = ['lost-request', 'lost-request']
    storage.fault = () => faults.shift() ?? 'none'
    let computed = 0
    const entry = await modify(storage, '/n', (current) => (computed++, increment(current)), instantly())
    expect(entry?.text).to.equal('1')
    expect(computed).to.equal(1)
  })

  it('does not apply twice a write that arrives after its repetition', async () => {
    const storage = makeStorage()
    storage.set('/n', '1')
    const faults: Fault[] = ['late']
    storage.fault = () => faults.shift() ?? 'none'
    expect((await modify(storage, '/n', increment, instantly()))?.text).to.equal('2')
    storage.settle()
    expect(storage.get('/n')).to.equal('2')
  })

  it('says so if it cannot know whether its write was applied', async () => {
    const storage = makeStorage()
    storage.fault = () => 'lost-reply'
    const error = await rejection(modify(storage, '/n', increment, instantly()))
    expect(error).to.include({ code: 'TIMEOUT', effect: 'unknown' })
  })

  it('knows its write by what the caller knows of it', async () => {
    const storage = makeStorage()
    storage.fault = () => 'lost-reply'
    const appliedIn = (current: Entry | undefined, written: Uint8Array) =>
      current !== undefined && sameBytes(current.bytes, written)
    const entry = await modify(storage, '/owner', () => 'broker 7, start 3', instantly({ appliedIn }))
    expect(entry?.text).to.equal('broker 7, start 3')
    expect(storage.calls.map(({ op }) => op)).to.deep.equal(['fetchEntry', 'put', 'fetchEntry'])
  })

  it('starts anew from what another wrote in the meantime, if its own write was certainly not applied', async () => {
    const storage = makeStorage()
    const faults: Fault[] = ['lost-request']
    storage.fault = () => {
      const fault = faults.shift() ?? 'none'
      if (fault !== 'none') storage.set('/n', '5')
      return fault
    }
    expect((await modify(storage, '/n', increment, instantly({ appliedIn: () => false })))?.text).to.equal('6')
  })

  it('applies a change exactly once if it resolves, at most once if not, whatever is lost or late', async () => {
    const faults = fc.array(fc.constantFrom<Fault>('none', 'lost-request', 'lost-reply', 'late'), { maxLength: 40 })
    const arrivals = fc.array(fc.boolean(), { maxLength: 40 })
    const run = fc.record({ faults, arrivals, knows: fc.boolean(), clients: fc.integer({ min: 1, max: 4 }) })
    await fc.assert(
      fc.asyncProperty(run, async ({ faults: given, arrivals: lateNow, knows, clients }) => {
        const storage = makeStorage()
        storage.set('/log', '')
        storage.fault = () => given.shift() ?? 'none'
        storage.intrude = () => {
          if (lateNow.shift() === true) storage.settle()
        }
        const append = (name: string) => {
          const trace = new RegExp(`\\b${name}\\b`)
          const appliedIn = (current: Entry | undefined) => trace.test(current?.text ?? '')
          const options = instantly(knows ? { appliedIn } : {})
          return modify(storage, '/log', (current) => `${current?.text ?? ''} ${name}`, options)
        }
        const names = Array.from({ length: clients * 2 }, (_, at) => `w${at}`)
        const outcomes = await Promise.allSettled(names.map(append))
        storage.settle()
        names.forEach((name, at) => {
          const times = (storage.get('/log') ?? '').split(' ').filter((word) => word === name).length
          const outcome = outcomes[at]!
          if (outcome.status === 'fulfilled') expect(times).to.equal(1)
          else
            expect({ times, effect: (outcome.reason as CoordinationError).effect }).to.satisfy(
              (result: { times: number; effect: string }) => result.times <= 1 && result.effect === 'unknown',
            )
          if (knows) expect(outcome.status).to.equal('fulfilled')
        })
      }),
      { numRuns: 60 },
    )
  })

  it('gives up after maxAttempts with the last conflict', async () => {
    const storage = makeStorage()
    let other = 0
    storage.intrude = () => storage.set('/n', String(other++))
    const error = await rejection(modify(storage, '/n', increment, instantly({ maxAttempts: 3 })))
    expect(error).to.include({ code: 'VERSION_MISMATCH', effect: 'none' })
    expect(other).to.equal(3)
  })

  it('gives up after timeoutMs, of which each call gets what is left', async () => {
    const storage = makeStorage()
    let other = 0
    storage.intrude = () => storage.set('/n', String(other++))
    const error = await rejection(modify(storage, '/n', increment, instantly({ timeoutMs: 50 })))
    expect(error).to.include({ code: 'TIMEOUT', effect: 'none', retriable: true })
    expect(storage.calls.slice(0, 3).map(({ options }) => options.timeoutMs)).to.deep.equal([50, 50, 48])
  })

  it('hands on the fence, and what the store refuses for good', async () => {
    const storage = makeStorage()
    const fence = { service: 'controller', token: 7n }
    storage.intrude = () => {
      throw new CoordinationError('FENCED', 'a newer leader')
    }
    const error = await rejection(modify(storage, '/n', increment, instantly({ fence })))
    expect(isCoordinationError(error, 'FENCED')).to.equal(true)
    expect(storage.calls[1]?.options.fence).to.equal(fence)
  })

  it('hands on what the change throws, and writes nothing', async () => {
    const storage = makeStorage()
    const failure = new Error('cannot compute')
    const change = () => {
      throw failure
    }
    expect(await rejection(modify(storage, '/n', change))).to.equal(failure)
    expect(storage.calls).to.have.length(1)
  })

  it('ends with the reason of an abort: before it starts, between attempts, and after a write in doubt', async () => {
    const reason = new Error('shutting down')
    const storage = makeStorage()
    expect(await rejection(modify(storage, '/n', increment, { signal: AbortSignal.abort(reason) }))).to.equal(reason)
    expect(storage.calls).to.have.length(0)
    for (const fault of ['none', 'lost-reply'] as const) {
      const abort = new AbortController()
      let other = 0
      storage.fault = () => fault
      storage.intrude = () => {
        storage.set('/n', String(other++))
        if (other === 2) abort.abort(reason)
      }
      const options = instantly({ signal: abort.signal, appliedIn: () => false })
      expect(await rejection(modify(storage, '/n', increment, options)), fault).to.equal(reason)
    }
  })

  it('ends with the reason of an abort while it repeats a write', async () => {
    const reason = new Error('shutting down')
    const abort = new AbortController()
    const storage = makeStorage()
    let writes = 0
    storage.fault = () => 'lost-request'
    storage.intrude = () => {
      if (++writes === 2) abort.abort(reason)
    }
    expect(await rejection(modify(storage, '/n', increment, instantly({ signal: abort.signal })))).to.equal(reason)
  })
})
