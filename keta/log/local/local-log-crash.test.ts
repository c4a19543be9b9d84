/** Random appends, rolls, drops, full disks, failed syncs, kills and power failures on a disk that does its worst. */
import { expect } from 'chai'
import fc from 'fast-check'
import { readAll } from '../log-suite.ts'
import type { Log } from '../log.ts'
import { LogError } from '../log.ts'
import type { Choose } from './faulty-disk.fixture.ts'
import { FaultyDisk } from './faulty-disk.fixture.ts'
import { openLocalLog } from './local-log.ts'

const LOG_ID = Buffer.alloc(16, 7)
const DIRECTORY = '/log'
const RUNS = process.env['KETA_SCALE'] === 'full' ? 20_000 : 1500

type Step =
  | { readonly kind: 'append'; readonly sizes: readonly number[] }
  | { readonly kind: 'drop'; readonly share: number }
  | { readonly kind: 'crash' | 'kill' | 'dies while starting'; readonly changesBefore: number }
  | { readonly kind: 'sync fails'; readonly syncsBefore: number }
  | { readonly kind: 'full'; readonly freeBytes: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(fc.oneof(fc.nat(40), fc.integer({ min: 1000, max: 9000 })), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), share: fc.constantFrom(0.4, 0.8, 1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'kill' as const), changesBefore: fc.nat(14) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dies while starting' as const), changesBefore: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sync fails' as const), syncsBefore: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), freeBytes: fc.nat(20_000) }) },
)

describe('local log on a faulty disk', () => {
  it('has after every restart what was acknowledged, in order, batches whole, and nothing else', async function () {
    this.timeout(300_000)
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.integer(),
        fc.boolean(),
        async (steps, seed, shortWrites) => {
          const machine = new Machine(seed, shortWrites)
          await machine.start()
          for (const next of steps) {
            await machine.take(next)
          }
          await machine.restart('crash')
          await machine.restart('crash')
        },
      ),
      { numRuns: RUNS },
    )
  })
})

/** One log through many lives, and what must be in it. */
class Machine {
  readonly #disk: FaultyDisk
  readonly #segmentBytes: number
  readonly #preallocateBytes: number
  #log: Log | undefined
  /** All that was ever acknowledged or has been seen after a restart; index = offset. */
  readonly #expected: Buffer[] = []
  /** A batch whose append failed: it may be in the log. */
  #unknown: readonly Buffer[] = []
  #nextFault: 'crash' | 'kill' = 'crash'
  #made = 0

  constructor(seed: number, shortWrites: boolean) {
    this.#disk = new FaultyDisk(chooserOf(seed))
    this.#disk.shortWrites = shortWrites
    this.#segmentBytes = seed % 2 === 0 ? 300 : 40_000
    this.#preallocateBytes = seed % 3 === 0 ? 0 : 3000
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case 'append':
        return this.#append(next.sizes)
      case 'drop':
        return this.#drop(next.share)
      case 'crash':
      case 'kill':
        this.#nextFault = next.kind
        this.#disk.changesUntilDeath = next.changesBefore
        return
      case 'dies while starting':
        return this.#dieWhileStarting(next.changesBefore)
      case 'sync fails':
        this.#nextFault = 'kill'
        this.#disk.syncsUntilFailure = next.syncsBefore
        return
      case 'full':
        this.#nextFault = 'kill'
        this.#disk.freeBytes = next.freeBytes
    }
  }

  async restart(how: 'crash' | 'kill'): Promise<void> {
    this.#disk.freeBytes = Number.POSITIVE_INFINITY
    if (how === 'crash') {
      this.#disk.crash()
    } else {
      this.#disk.kill()
    }
    await this.start()
  }

  async start(): Promise<void> {
    this.#log = undefined
    this.#log = await openLocalLog({
      directory: DIRECTORY,
      logId: LOG_ID,
      segmentBytes: this.#segmentBytes,
      preallocateBytes: this.#preallocateBytes,
      disk: this.#disk,
    })
    await this.#check(this.#log)
  }

  async #dieWhileStarting(changesBefore: number): Promise<void> {
    this.#disk.freeBytes = Number.POSITIVE_INFINITY
    this.#disk.crash()
    this.#disk.changesUntilDeath = changesBefore
    try {
      await this.start()
    } catch (error) {
      if (!(error instanceof LogError && error.code === 'IO')) {
        throw error
      }
      await this.restart('crash')
    }
  }

  async #append(sizes: readonly number[]): Promise<void> {
    const batch = sizes.map((size) => this.#record(size))
    const log = this.#log
    if (log === undefined) {
      throw new Error('not started')
    }
    try {
      const { baseOffset } = await log.append(batch)
      expect(baseOffset).to.equal(this.#expected.length)
      this.#expected.push(...batch)
    } catch (error) {
      if (!(error instanceof LogError)) {
        throw error
      }
      expect(error.code).to.equal('APPEND_FAILED')
      expect(await log.append(batch).catch((again: unknown) => again)).to.equal(error)
      this.#unknown = batch
      await this.restart(this.#nextFault)
    }
  }

  async #drop(share: number): Promise<void> {
    try {
      await this.#log?.dropBefore(Math.floor(share * this.#expected.length))
    } catch (error) {
      expect(error).to.be.instanceOf(LogError)
      await this.restart(this.#nextFault)
    }
  }

  async #check(log: Log): Promise<void> {
    const known = this.#expected.length
    expect(log.endOffset).to.be.oneOf([known, known + this.#unknown.length])
    if (log.endOffset > known) {
      this.#expected.push(...this.#unknown)
    }
    this.#unknown = []
    const found = await readAll(log, log.startOffset)
    expect(found.length).to.equal(log.endOffset - log.startOffset)
    for (const { offset, bytes } of found) {
      if (!this.#expected[offset]?.equals(bytes)) {
        throw new Error(`record ${offset} is not what was appended`)
      }
    }
  }

  /** Never the same twice; half of it is zeros, as what a crash leaves in place of data. */
  #record(size: number): Buffer {
    const record = Buffer.alloc(size, this.#made++)
    return this.#made % 2 === 0 ? record : record.fill(0, Math.floor(size / 3))
  }
}

/** xorshift32: the disk's chances follow from the seed that fast-check prints. */
function chooserOf(seed: number): Choose {
  let state = seed | 0 || 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}
