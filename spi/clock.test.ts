import { expect } from 'chai'
import fc from 'fast-check'
import { steadyNow, systemClock } from './clock.ts'

const HOUR = 3_600_000

/** A machine: time passes, it sleeps, its wall clock is set. */
function makeMachine() {
  let monotonic = 0
  let wall = 1_700_000_000_000
  return {
    now: steadyNow({ monotonic: () => monotonic, wall: () => Math.floor(wall) }),
    run(ms: number) {
      monotonic += ms
      wall += ms
    },
    sleep(ms: number) {
      wall += ms
    },
    setWall(byMs: number) {
      wall += byMs
    },
  }
}

describe('the steady clock', () => {
  it('counts what passes while the machine runs', () => {
    const machine = makeMachine()
    const start = machine.now()
    for (let tick = 0; tick < 10_000; tick++) {
      machine.run(0.1)
      machine.now()
    }
    expect(machine.now() - start).to.be.closeTo(1_000, 0.001)
  })

  it('counts what passes while the machine sleeps', () => {
    const machine = makeMachine()
    const start = machine.now()
    machine.sleep(HOUR)
    expect(machine.now() - start).to.be.closeTo(HOUR, 1)
  })

  it('takes a wall clock set forward for sleep, and does not mind one set back', () => {
    const machine = makeMachine()
    const start = machine.now()
    machine.setWall(-HOUR)
    machine.run(5)
    expect(machine.now() - start).to.be.closeTo(5, 1)
    machine.setWall(HOUR)
    expect(machine.now() - start).to.be.closeTo(HOUR + 5, 2)
  })

  it('goes on after the wall clock was set forward and back again', () => {
    const machine = makeMachine()
    machine.setWall(HOUR)
    const forward = machine.now()
    machine.setWall(-HOUR)
    machine.run(1_000)
    expect(machine.now() - forward).to.be.closeTo(1_000, 1)
  })

  it('notices sleep after the wall clock was set back', () => {
    const machine = makeMachine()
    machine.setWall(-HOUR)
    const start = machine.now()
    machine.sleep(5_000)
    expect(machine.now() - start).to.be.closeTo(5_000, 1)
  })

  it('never goes back and never runs slow, whatever happens', () => {
    const ms = fc.double({ min: 0, max: 20_000, noNaN: true })
    const step = fc.oneof(
      fc.record({ what: fc.constant('run' as const), ms }),
      fc.record({ what: fc.constant('sleep' as const), ms }),
      fc.record({ what: fc.constant('set' as const), ms: fc.double({ min: -HOUR, max: HOUR, noNaN: true }) }),
    )
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const machine = makeMachine()
        let before = machine.now()
        for (const { what, ms } of steps) {
          if (what === 'set') machine.setWall(ms)
          else machine[what](ms)
          const after = machine.now()
          // sleep below the noise of the two clocks is not seen
          expect(after - before).to.be.at.least(what === 'set' ? 0 : what === 'run' ? ms - 1e-3 : ms - 12)
          before = after
        }
      }),
    )
  })
})

describe('the system clock', () => {
  it('moves, and calls back', async () => {
    const start = systemClock.now()
    await new Promise<void>((resolve) => {
      systemClock.setTimeout(resolve, 1)
    })
    expect(systemClock.now()).to.be.greaterThan(start)
  })

  it('does not call back once disposed of, nor at once for a delay that timers cannot hold', async () => {
    const calls: string[] = []
    const cancelled = systemClock.setTimeout(() => calls.push('cancelled'), 0)
    const distant = systemClock.setTimeout(() => calls.push('distant'), 2 ** 31 + 5)
    cancelled[Symbol.dispose]()
    await new Promise((resolve) => {
      setTimeout(resolve, 5)
    })
    distant[Symbol.dispose]()
    expect(calls).to.deep.equal([])
  })
})
