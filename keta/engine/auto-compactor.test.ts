/** Automatic compaction on a manual clock. */
import { expect } from 'chai'
import { RequestFailure } from '../command/failure.ts'
import { AutoCompactor } from './auto-compactor.ts'
import { ManualClock } from './manual-clock.fixture.ts'
import type { AutoCompaction } from './ports.ts'
import { quiet } from './test-engine.fixture.ts'

const MINUTE = 60_000

function start(policy: AutoCompaction, compact?: (revision: number) => Promise<void>) {
  const clock = new ManualClock()
  const store = { revision: 1 }
  const compacted: number[] = []
  const note = (revision: number): Promise<void> => {
    compacted.push(revision)
    return Promise.resolve()
  }
  const ports = { clock, logger: quiet, revision: () => store.revision, compact: compact ?? note }
  const compactor = new AutoCompactor(ports, policy)
  compactor.start()
  return { clock, store, compacted, compactor }
}

describe('automatic compaction', () => {
  it('keeps the newest revisions in revision mode, looking every five minutes', async () => {
    const { clock, store, compacted } = start({ mode: 'revision', retention: 100 })
    store.revision = 100
    await clock.advance(5 * MINUTE)
    expect(compacted).to.deep.equal([])
    store.revision = 250
    await clock.advance(5 * MINUTE)
    expect(compacted).to.deep.equal([150])
  })

  it('keeps what is younger than the retention in periodic mode', async () => {
    const { clock, store, compacted } = start({ mode: 'periodic', retentionMs: 10 * MINUTE })
    for (let minute = 1; minute <= 40; minute++) {
      await clock.advance(MINUTE)
      store.revision = minute * 10
    }
    expect(compacted.length).to.be.within(2, 3)
    const minuteOfLast = 40
    expect(compacted.at(-1)).to.be.at.most((minuteOfLast - 10) * 10)
    expect(compacted.at(-1)).to.be.at.least((minuteOfLast - 21) * 10)
  })

  it('compacts hourly when the retention is longer than an hour', async () => {
    const { clock, store, compacted } = start({ mode: 'periodic', retentionMs: 180 * MINUTE })
    for (let minute = 1; minute <= 360; minute++) {
      await clock.advance(MINUTE)
      store.revision = minute
    }
    expect(compacted.length).to.be.within(2, 4)
    expect(compacted[0]).to.be.at.most(10)
  })

  it('does nothing when it is off, and leaves no timer when it stops', async () => {
    const off = start({ mode: 'off' })
    await off.clock.advance(100 * MINUTE)
    expect(off.compacted).to.deep.equal([])
    const on = start({ mode: 'revision', retention: 1 })
    on.compactor.stop()
    expect(on.clock.timerCount).to.equal(0)
  })

  it('takes "already compacted" for what it is', async () => {
    const { clock, store } = start({ mode: 'revision', retention: 1 }, () =>
      Promise.reject(new RequestFailure('COMPACTED')),
    )
    store.revision = 10
    await clock.advance(10 * MINUTE)
  })
})
