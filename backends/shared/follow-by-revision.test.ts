import { expect } from 'chai'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CoordinationError, type ErrorCode, silentLogger } from '../../spi/index.ts'
import { type ManualClock, makeManualClock } from '../memory/manual-clock.fixture.ts'
import { type Deferred, deferred } from './deferred.ts'
import type { Follow } from './driver.ts'
import { CompactedError, followByRevision, type RevisionSink } from './follow-by-revision.ts'

describe('following by revisions', () => {
  interface Watching {
    readonly from: bigint
    readonly sink: RevisionSink<string>
    readonly end: Deferred<never>
    readonly signal: AbortSignal
  }
  let clock: ManualClock
  let snapshots: Deferred<{ at: bigint; all: Map<string, string> }>[]
  let watches: Watching[]
  let told: string[]
  let warnings: string[]
  let follow: Follow

  beforeEach(() => {
    clock = makeManualClock()
    snapshots = []
    watches = []
    told = []
    warnings = []
    const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) }
    follow = followByRevision<string>(
      { clock, random: () => 0.5, logger },
      {
        what: 'key /a',
        snapshot() {
          const asked = deferred<{ at: bigint; all: Map<string, string> }>()
          snapshots.push(asked)
          return asked.promise
        },
        watch(from, sink, signal) {
          const end = deferred<never>()
          watches.push({ from, sink, end, signal })
          return end.promise
        },
      },
      {
        reset: (all) => told.push(`reset ${[...all].join(';')}`),
        changed: (changes) => told.push(`changed ${[...changes].join(';')}`),
        failed: (error) => told.push(`failed ${error.message}`),
      },
    )
  })

  afterEach(() => follow.close())

  async function show(at: bigint, ...all: [string, string][]): Promise<void> {
    snapshots.at(-1)!.resolve({ at, all: new Map(all) })
    await nextTurn()
  }

  /** Fails what is under way, and lets the pause pass. */
  async function fail(what: Deferred<never> | undefined, error: Error): Promise<void> {
    ;(what ?? snapshots.at(-1)!).reject(error)
    await pause()
  }

  async function pause(): Promise<void> {
    await nextTurn()
    clock.advance(250)
    await nextTurn()
  }

  function change(at: bigint, ...changes: [string, string | undefined][]): void {
    watches.at(-1)!.sink.changed(new Map(changes), at)
  }

  const error = (code: ErrorCode) => new CoordinationError(code, code)

  it('tells a snapshot, is active then, and watches from the next revision', async () => {
    let active = false
    follow.active.then(
      () => (active = true),
      () => undefined,
    )
    await nextTurn()
    expect(active).to.equal(false)
    await show(7n, ['a', '1'])
    expect(active).to.equal(true)
    expect(watches.map(({ from }) => from)).to.deep.equal([8n])
    change(9n, ['a', undefined])
    expect(told).to.deep.equal(['reset a,1', 'changed a,'])
  })

  it('resumes after the last revision told, without a snapshot, and passes over what it has told', async () => {
    await show(7n)
    change(9n, ['a', '9'])
    watches.at(-1)!.sink.progress(12n)
    await fail(watches.at(-1)!.end, error('CONNECTION'))
    expect(watches.map(({ from }) => from)).to.deep.equal([8n, 13n])
    change(9n, ['a', 'old'])
    change(13n, ['a', '13'])
    expect(told).to.deep.equal(['reset ', 'changed a,9', 'changed a,13'])
    expect(snapshots).to.have.length(1)
  })

  it('takes another snapshot if its revision is compacted, but none that is older than what it has told', async () => {
    await show(7n)
    change(9n, ['a', '9'])
    await fail(watches.at(-1)!.end, new CompactedError('gone'))
    await show(8n, ['a', 'old'])
    await pause()
    await show(20n, ['a', '20'])
    expect(told).to.deep.equal(['reset ', 'changed a,9', 'reset a,20'])
    expect(watches.at(-1)!.from).to.equal(21n)
  })

  it('asks again for a snapshot that failed, after longer and longer pauses, and complains once', async () => {
    for (let n = 0; n < 5; n++) await fail(undefined, error('CONNECTION'))
    snapshots.at(-1)!.reject(error('CONNECTION'))
    await nextTurn()
    clock.advance(10)
    await nextTurn()
    expect(snapshots).to.have.length(6)
    await pause()
    await show(7n)
    expect(told).to.deep.equal(['reset '])
    expect(warnings).to.have.length(1)
  })

  it('fails for good on a refusal, before it is active and after', async () => {
    await fail(undefined, error('AUTHORIZATION'))
    expect(await follow.active.catch((thrown: unknown) => thrown)).to.include({ code: 'AUTHORIZATION' })
    expect(told).to.deep.equal(['failed AUTHORIZATION'])
    expect(snapshots).to.have.length(1)
  })

  it('fails for good on a refusal of the watch', async () => {
    await show(7n)
    await fail(watches.at(-1)!.end, error('AUTHORIZATION'))
    expect(told).to.deep.equal(['reset ', 'failed AUTHORIZATION'])
    expect(watches).to.have.length(1)
  })

  it('ends when the driver was closed under it', async () => {
    await show(7n)
    await fail(watches.at(-1)!.end, error('CONNECTION'))
    await fail(watches.at(-1)!.end, error('CLOSED'))
    await pause()
    expect(watches).to.have.length(2)
    expect(told).to.deep.equal(['reset ', 'failed CLOSED'])
    expect(clock.waiting).to.equal(0)
  })

  it('goes on after a fault that it does not understand', async () => {
    await show(7n)
    await fail(watches.at(-1)!.end, new TypeError('x is undefined'))
    expect(watches).to.have.length(2)
    expect(warnings[0]).to.include('key /a').and.include('x is undefined')
  })

  it('tells nothing after close, and ends what is under way', async () => {
    await show(7n)
    follow.close()
    change(9n, ['a', '9'])
    expect(told).to.deep.equal(['reset '])
    expect(watches[0]!.signal.aborted).to.equal(true)
    await fail(watches[0]!.end, error('CONNECTION'))
    expect([watches.length, warnings.length, clock.waiting]).to.deep.equal([1, 0, 0])
  })

  it('tells nothing of a snapshot that comes after close', async () => {
    follow.close()
    await show(7n)
    expect(told).to.deep.equal([])
    expect(await follow.active.catch((thrown: unknown) => thrown)).to.include({ code: 'CLOSED' })
  })
})
