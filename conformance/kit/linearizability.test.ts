import { expect } from 'chai'
import fc from 'fast-check'
import type { Operation } from './history.ts'
import { checkRegister, checkRegisters } from './linearizability-register.ts'
import { type Fault, simulate } from './linearizability.fixture.ts'
import { checkLinearizable, type Model } from './linearizability.ts'

const FAULTS: Readonly<Record<Fault, string>> = {
  'stale-read': 'reads that return what was over before they began',
  'lost-update': 'an acknowledged update that was never applied',
  'two-step-compare-and-set': 'a compare-and-set that compares first and sets later',
  'two-step-put': 'a put that looks first and writes later',
  'applied-twice': 'an update that is repeated after others have written',
  'version-starts-again': 'versions that start again with the key',
  'denied-but-applied': 'a write that is said to have had no effect, and had it',
  'undone-delete': 'a deleted key that comes back',
}

/** Within so many seeds each fault must show. */
const SEEDS = 20

describe('the linearizability checker', () => {
  it('passes what a right register does, whatever the delays', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(checkRegister(simulate({ seed }))).to.equal(undefined)
      }),
      { numRuns: 100 },
    )
  })

  it('passes it too when replies are lost', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(checkRegister(simulate({ seed, lossy: 0.15 }))).to.equal(undefined)
      }),
      { numRuns: 100 },
    )
  })

  for (const [fault, what] of Object.entries(FAULTS) as [Fault, string][]) {
    it(`finds ${what}`, () => {
      const seeds = Array.from({ length: SEEDS }, (_, seed) => seed)
      const found = seeds.filter((seed) => checkRegister(simulate({ seed, fault })) !== undefined)
      expect(found.length, `of ${SEEDS} histories`).to.be.at.least(SEEDS / 4)
      const inLossy = seeds.filter((seed) => checkRegister(simulate({ seed, fault, lossy: 0.05 })) !== undefined)
      expect(inLossy, `of ${SEEDS} histories with lost replies`).not.to.be.empty
    })
  }

  it('agrees with trying all orders', () => {
    let wrong = 0
    const all = fc.array(smallOperation, { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(all, (operations) => {
        const expected = someOrderFits(operations)
        if (!expected) wrong++
        expect(checkRegister(operations) === undefined).to.equal(expected)
      }),
      { numRuns: 4_000, seed: 1 },
    )
    expect(wrong, 'of both kinds there were enough').to.be.within(400, 3_600)
  })

  it('takes a long history of many clients without getting lost', () => {
    const operations = simulate({ seed: 7, clients: 6, operations: 1_500, lossy: 0.01 })
    expect(operations.length).to.be.at.least(1_500)
    expect(checkRegister(operations)).to.equal(undefined)
  })

  it('says which operation cannot be explained', () => {
    const put = made({ op: 'put', input: { value: 'a' }, output: { version: 'v1' } }, 0, 1)
    const read = made({ op: 'read', output: { found: null } }, 2, 3)
    const [anomaly] = checkRegisters([put, read])
    expect(anomaly?.key).to.equal('/k')
    expect(anomaly?.message).to.match(/put .*v1[^]*none of these can follow:\n {2}c \[2.00, 3.00\] read/)
  })

  it('gives up, and says so, rather than search for ever', () => {
    const operations = Array.from({ length: 30 }, (_, at) => ({ at, invokedAt: 0, returnedAt: 1 }))
    const model: Model<string, (typeof operations)[number]> = {
      initial: '',
      step: (state, { at }) => (state.length < 29 ? `${state}${at} ` : undefined),
      fingerprint: (state) => state,
    }
    const check = () => checkLinearizable(model, operations, { isOpen: () => false, maxSteps: 1_000 })
    expect(check).to.throw('no verdict on 30 operations after 1000 steps')
  })
})

type Made = Pick<Operation, 'op' | 'input' | 'output'> & Partial<Pick<Operation, 'outcome' | 'error'>>

function made(operation: Made, invokedAt: number, returnedAt: number): Operation {
  return { process: 'c', key: '/k', outcome: 'ok', ...operation, invokedAt, returnedAt }
}

const value = fc.constantFrom('a', 'b')
const version = fc.constantFrom('v1', 'v2', 'v3')
const maybeVersion = fc
  .option(version, { nil: undefined })
  .map((ifVersion) => (ifVersion === undefined ? {} : { ifVersion }))
const refused = (error: string) => ({ outcome: 'none' as const, error })
const open = { outcome: 'unknown' as const }

const smallAnswer: fc.Arbitrary<Made> = fc.oneof(
  fc.record({ value, version }).map((found) => ({ op: 'read', output: { found } })),
  fc.constant({ op: 'read', output: { found: null } }),
  fc.tuple(value, version).map(([value, version]) => ({ op: 'put', input: { value }, output: { version } })),
  fc.tuple(value, version, maybeVersion).map(([value, version, condition]) => {
    return { op: 'update', input: { value, ...condition }, output: { version } }
  }),
  fc.tuple(fc.boolean(), maybeVersion).map(([existed, input]) => ({ op: 'delete', input, output: { existed } })),
  value.map((value) => ({ op: 'put', input: { value }, output: undefined, ...open })),
  value.map((value) => ({ op: 'update', input: { value }, output: undefined, ...open })),
  fc.constant({ op: 'delete', input: {}, output: undefined, ...open }),
  value.map((value) => ({
    op: 'put',
    input: { value },
    output: undefined,
    ...refused('KEY_EXISTS (effect none): it is there'),
  })),
  maybeVersion.map((input) => ({ op: 'update', input, output: undefined, ...refused('KEY_NOT_FOUND') })),
  version.map((ifVersion) => ({
    op: 'delete',
    input: { ifVersion },
    output: undefined,
    ...refused('VERSION_MISMATCH'),
  })),
  fc.constant({ op: 'put', input: { value: 'a' }, output: undefined, ...refused('CONNECTION') }),
)

const smallOperation = fc
  .tuple(smallAnswer, fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4 }))
  .map(([answer, from, length]) => made(answer, from, from + length))

/** The definition, in so many words: some order of all completed and some open operations fits. */
function someOrderFits(operations: readonly Operation[]): boolean {
  const placed: Operation[] = []
  const fitsOn = (left: readonly Operation[]): boolean => {
    if (left.every(({ outcome }) => outcome === 'unknown') && replays(placed)) return true
    return left.some((next, at) => {
      const others = left.filter((_, other) => other !== at)
      if (others.some(({ outcome, returnedAt }) => outcome !== 'unknown' && returnedAt < next.invokedAt)) return false
      placed.push(next)
      const found = fitsOn(others)
      placed.pop()
      return found
    })
  }
  return fitsOn(operations)
}

/** Whether a register gives these answers in this order, for some choice of the open writes' versions. */
function replays(order: readonly Operation[]): boolean {
  const writes = order.filter(({ op, outcome }) => (op === 'put' || op === 'update') && outcome === 'unknown')
  const choices = writes.map(() => ['v1', 'v2', 'v3', undefined])
  return product(choices).some((versions) =>
    replaysWith(order, new Map(writes.map((write, at) => [write, versions[at]]))),
  )
}

function product<T>(choices: readonly (readonly T[])[]): T[][] {
  return choices.reduce<T[][]>((all, some) => all.flatMap((begun) => some.map((one) => [...begun, one])), [[]])
}

function replaysWith(order: readonly Operation[], chosen: ReadonlyMap<Operation, string | undefined>): boolean {
  let now: { value: unknown; version: string | undefined } | undefined
  const used = new Set<string>()
  for (const operation of order) {
    const { op, outcome, error } = operation
    const input = (operation.input ?? {}) as { value?: string; ifVersion?: string }
    const output = operation.output as {
      version?: string
      existed?: boolean
      found?: { value: string; version: string } | null
    }
    const matches = now !== undefined && (input.ifVersion === undefined || input.ifVersion === now.version)
    if (error === 'CONNECTION') continue
    if (error?.startsWith('KEY_EXISTS') === true && now === undefined) return false
    if (error === 'KEY_NOT_FOUND' && now !== undefined) return false
    if (error === 'VERSION_MISMATCH' && (now === undefined || matches)) return false
    if (outcome === 'none') continue
    if (op === 'read') {
      const same = output.found === null ? now === undefined : now?.value === output.found?.value
      if (!same || now?.version !== output.found?.version) return false
      continue
    }
    const succeeds = op === 'put' ? now === undefined : matches
    if (outcome === 'unknown' && !succeeds) return false
    if (op === 'delete') {
      if (outcome === 'ok' && output.existed !== succeeds) return false
      if (outcome === 'ok' && !succeeds && now !== undefined) return false
      now = undefined
      continue
    }
    if (!succeeds) return false
    const version = outcome === 'ok' ? output.version : chosen.get(operation)
    if (version !== undefined && used.has(version)) return false
    if (version !== undefined) used.add(version)
    now = { value: input.value, version }
  }
  return true
}
