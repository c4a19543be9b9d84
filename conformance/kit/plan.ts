/** What is to be done with each case on one backend: run it, run what holds instead, or say why not. */
import type { Capabilities } from '../../spi/index.ts'
import type { BackendHarness } from '../harness.ts'
import type { ConformanceCase, Given, Need, OptionalCapability } from './case.ts'

export interface PlannedCase {
  readonly id: string
  /** As it is to be shown: of a promise that the backend does not make, that its calls must be refused. */
  readonly title: string
  readonly case: ConformanceCase
  /** undefined: it is not run, and `reason` says why. */
  readonly run: ((given: Given) => Promise<void>) | undefined
  readonly reason: string | undefined
  /** It fails without being run: the harness's list of what is not run is out of date. */
  readonly fault: string | undefined
  readonly expectedFailure: string | undefined
  /** What is run is the refusal of what the backend does not promise. */
  readonly isRefusal: boolean
}

export interface Plan {
  readonly cases: readonly PlannedCase[]
  /** What the harness says of cases that do not exist. */
  readonly problems: readonly string[]
}

/** What the plan is made from; also of a harness that has not been started. */
export type Plannable = Pick<BackendHarness, 'endpoints' | 'expect' | 'hooks' | 'notRun' | 'expectedFailures'>

export function planCases(harness: Plannable, cases: readonly ConformanceCase[]): Plan {
  const known = new Set(cases.map(({ id }) => id))
  const unknown = (list: keyof Plannable & ('notRun' | 'expectedFailures')) =>
    Object.keys(harness[list] ?? {})
      .filter((id) => !known.has(id))
      .map((id) => `${list} names ${id}, and there is no such case`)
  const repeated = cases.filter(({ id }, at) => cases.findIndex((other) => other.id === id) !== at)
  return {
    cases: cases.map((one) => planCase(harness, one)),
    problems: [
      ...unknown('notRun'),
      ...unknown('expectedFailures'),
      ...repeated.map(({ id }) => `two cases have the id ${id}`),
    ],
  }
}

function planCase(harness: Plannable, one: ConformanceCase): PlannedCase {
  const { id, title, capability, otherwise } = one
  const expectedFailure = harness.expectedFailures?.[id]
  const nothing = { run: undefined, reason: undefined, fault: undefined, isRefusal: false }
  const planned = { id, title, case: one, ...nothing, expectedFailure }
  const missing = (one.needs ?? []).filter((need) => !isThere(harness, need)).map(describeNeed)
  const lacks = capability !== undefined && !hasCapability(harness.expect, capability)
  if (lacks && otherwise === undefined) missing.push(`the backend does not promise ${capability}`)
  const listed = harness.notRun?.[id]
  if (missing.length > 0) {
    const why = missing.join('; ')
    if (listed === undefined && harness.notRun !== undefined) {
      return { ...planned, fault: `it cannot be run (${why}), and the harness does not list it in notRun` }
    }
    return { ...planned, reason: listed === undefined ? why : `${why} (${listed})` }
  }
  if (listed !== undefined) {
    return { ...planned, fault: `the harness lists it in notRun (${listed}), but nothing that it needs is missing` }
  }
  if (!lacks) return { ...planned, run: (given) => one.run(given) }
  return {
    ...planned,
    title: `${title} – not promised (${capability}): must be refused`,
    isRefusal: true,
    run: (given) => otherwise?.(given) ?? Promise.resolve(),
  }
}

function hasCapability(expect: Capabilities, capability: OptionalCapability): boolean {
  return expect[capability] !== false
}

function isThere({ endpoints, expect, hooks }: Plannable, need: Need): boolean {
  if (need === 'processes') return expect.multiProcess
  if (need === 'links') return endpoints.length > 0
  if (need === 'servers') return (hooks.servers?.length ?? 0) > 0
  return hooks[need] !== undefined
}

function describeNeed(need: Need): string {
  if (need === 'processes') return 'processes cannot share the store'
  if (need === 'links') return 'the store has no network that could be cut'
  return `the harness has no hook ${need}`
}
