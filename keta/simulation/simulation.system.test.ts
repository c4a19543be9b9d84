/**
 * A cluster of real engines on simulated ports, seed after seed. KETA_SEED=N runs one seed alone and prints what
 * happens; KETA_SCALE=full runs fresh seeds for KETA_HOURS (default 1).
 */
import { expect } from 'chai'
import { KNOWN_BAD } from './known-bad.fixture.ts'
import { drainMicrotasks, inOwnTurn } from './microtasks.fixture.ts'
import { type RunResult, runSeed } from './run.fixture.ts'

const SEEDS = 2_000
/** Every so many seeds one is run twice. */
const TWICE = 50
/** Seeds that have found something once. */
const REGRESSIONS = [
  // a batch that was sent again fitted behind its first copy, and was applied twice
  4, 7, 11,
  // a read by the lease was older than what a follower had read of a batch in flight
  3, 27, 46,
]
/** Seeds for each kind of damage to the log. */
const DAMAGED = 200
/** Within so many seeds each bug that was put in must be found. */
const BUDGET = 100
const HOURS = Number(process.env['KETA_HOURS'] ?? 1)

const only = process.env['KETA_SEED']
if (only === undefined) all()
else one(Number(only))

function one(seed: number): void {
  describe('a simulated cluster', () => {
    it(`keeps its promises with seed ${seed}`, async function () {
      this.timeout(0)
      const write = (line: string): void => {
        process.stdout.write(`${line}\n`)
      }
      const result = await inOwnTurn(() => runSeed({ seed, write }))
      expect(result.violation).to.equal(undefined)
    })
  })
}

function all(): void {
  describe('the microtasks of a simulation', () => {
    it('are all run, however long they go on', async () => {
      let turns = 0
      const run = async (): Promise<void> => {
        while (turns < 100_000) {
          await Promise.resolve()
          turns++
        }
      }
      const running = await inOwnTurn(() => {
        const started = run()
        drainMicrotasks()
        return { turns, started }
      })
      expect(running.turns).to.equal(100_000)
    })

    it('are not drained from within a microtask, which is noticed', async () => {
      await Promise.resolve()
      expect(drainMicrotasks).to.throw('from a microtask')
    })
  })

  describe('a simulated cluster', function () {
    this.timeout(0)

    it('keeps its promises with the seeds that have found something', async () => {
      await keepsItsPromises(REGRESSIONS)
    })

    it(`keeps its promises with ${SEEDS} seeds`, async () => {
      const counts = await keepsItsPromises(Array.from({ length: SEEDS }, (_, index) => index + 1))
      // A simulation in which nothing happens finds nothing.
      const { refused, ...frequent } = counts
      expect(refused).to.be.greaterThan(SEEDS / 20)
      for (const [what, count] of Object.entries(frequent)) expect(count, what).to.be.greaterThan(SEEDS)
    })

    it('keeps its promises with seeds that were never run before', async () => {
      const end = Date.now() + (process.env['KETA_SCALE'] === 'full' ? HOURS * 3_600_000 : 2_000)
      const fresh = Math.floor(Math.random() * 2 ** 30)
      for (let count = 0; Date.now() < end; count += TWICE) {
        await keepsItsPromises(Array.from({ length: TWICE }, (_, index) => fresh + count + index))
      }
    })
  })

  describe('a simulated cluster whose log is damaged', function () {
    this.timeout(0)
    for (const damage of ['truncation', 'foreign record'] as const) {
      it(`stops, or goes on with the very same records, after a ${damage}`, async () => {
        let stopped = 0
        for (let seed = 1; seed <= DAMAGED; seed++) {
          const result = await inOwnTurn(() => runSeed({ seed, damage }))
          expect(result.violation, `seed ${seed}`).to.equal(undefined)
          stopped += result.stopped
        }
        expect(stopped).to.be.greaterThan(DAMAGED)
      })
    }
  })

  describe('a simulated cluster with a bug', function () {
    this.timeout(0)
    for (const bug of KNOWN_BAD) {
      it(`is found out: ${bug.name}`, async () => {
        for (let seed = 1; seed <= BUDGET; seed++) {
          const { violation } = await inOwnTurn(() => runSeed({ seed, bug }))
          if (violation === undefined) continue
          expect(violation).to.match(bug.found)
          return
        }
        expect.fail(`not within ${BUDGET} seeds`)
      })
    }
  })
}

/** What happened in all of them. */
async function keepsItsPromises(seeds: readonly number[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [index, seed] of seeds.entries()) {
    const result = await inOwnTurn(() => runSeed({ seed }))
    expect(result.violation, again(seed)).to.equal(undefined)
    if (index % TWICE === 0) await isTheSameAgain(seed, result)
    for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count
  }
  return counts
}

async function isTheSameAgain(seed: number, first: RunResult): Promise<void> {
  const second = await inOwnTurn(() => runSeed({ seed }))
  expect(second, `${again(seed)} differs from run to run`).to.deep.equal(first)
}

function again(seed: number): string {
  return `KETA_SEED=${seed} npx mocha keta/simulation`
}
