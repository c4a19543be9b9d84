/** All checkers, each on what it can judge of a history. */
import type { Anomaly, Checker } from './anomaly.ts'
import type { History } from './history.ts'
import { checkListAppend } from './list-append.ts'
import { checkRealTime } from './real-time.ts'
import { checkRegisters, registerRecords } from './register.ts'
import { registersOf } from './registers-of-kv.ts'
import { checkSets } from './set.ts'
import { checkTotalOrder, hasTotalOrder } from './total-order.ts'
import { checkWatches } from './watch.ts'

export interface CheckOptions {
  /** Checkers that must have had something to judge: otherwise that is an anomaly, as nothing was found because … */
  readonly require?: readonly Checker[]
  /** Anomalies of one kind that are told; of the others the number. 10 by default. */
  readonly atMost?: number
}

/** @returns undefined if the history holds nothing that it can judge. */
type Check = (history: History) => readonly Anomaly[] | undefined

const CHECKS: Readonly<Record<Checker, Check>> = {
  'real-time': (history) => (history.length > 0 ? checkRealTime(history) : undefined),
  watch: (history) => (has(history, 'watch') ? checkWatches(history) : undefined),
  'total-order': (history) => (has(history, 'kv') && hasTotalOrder(history) ? checkTotalOrder(history) : undefined),
  register: (history) => {
    // apart: a register's record and the request below it are one operation, not two
    const [recorded, derived] = [registerRecords(history), registersOf(history)]
    return recorded.length + derived.length === 0
      ? undefined
      : [...checkRegisters(recorded), ...checkRegisters(derived)]
  },
  set: (history) => (has(history, 'set') ? checkSets(history) : undefined),
  'list-append': (history) => (has(history, 'append') ? checkListAppend(history) : undefined),
}

/** Runs whatever applies. Empty: nothing is wrong, as far as what `require` names was judged. */
export function checkHistory(history: History, { require = [], atMost = 10 }: CheckOptions = {}): readonly Anomaly[] {
  return (Object.keys(CHECKS) as Checker[]).flatMap((checker) => {
    const found = CHECKS[checker](history)
    if (found !== undefined) return limited(found, atMost)
    if (!require.includes(checker)) return []
    return [
      { checker, kind: 'not-checked', message: `the history holds nothing that the checker ${checker} can judge` },
    ]
  })
}

function has(history: History, kind: History[number]['kind']): boolean {
  return history.some((record) => record.kind === kind)
}

function limited(anomalies: readonly Anomaly[], atMost: number): readonly Anomaly[] {
  const count = new Map<string, number>()
  const told = anomalies.filter(({ kind }) => {
    const number = (count.get(kind) ?? 0) + 1
    count.set(kind, number)
    return number <= atMost
  })
  return told.map((one, index) => {
    const more = (count.get(one.kind) ?? 0) - atMost
    const isLast = !told.slice(index + 1).some(({ kind }) => kind === one.kind)
    return more > 0 && isLast ? { ...one, message: `${one.message}\n  … and ${more} more of this kind` } : one
  })
}
