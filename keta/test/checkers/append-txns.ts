/**
 * What each list-append transaction saw and left of each list, seen from outside: its reads without its own appends.
 * What contradicts itself within one transaction is found here.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import type { AppendOperation } from './history.ts'

export interface AppendTxn {
  readonly node: number
  readonly operation: AppendOperation
  /** By key, in its order. */
  readonly appends: ReadonlyMap<string, readonly number[]>
}

/** A list as a committed transaction found it. */
export interface KeyRead {
  readonly by: AppendTxn
  readonly elements: readonly number[]
}

export interface AppendTxns {
  /** All that may have happened, and those that failed. */
  readonly txns: readonly AppendTxn[]
  /** By key. */
  readonly reads: ReadonlyMap<string, readonly KeyRead[]>
  /** By key and element. */
  readonly writers: ReadonlyMap<string, ReadonlyMap<number, AppendTxn>>
  readonly anomalies: readonly Anomaly[]
}

export function appendTxnsOf(operations: readonly AppendOperation[]): AppendTxns {
  const reads = new Map<string, KeyRead[]>()
  const writers = new Map<string, Map<number, AppendTxn>>()
  const anomalies: Anomaly[] = []
  const txns = operations.map((operation, node) => ({ node, operation, appends: appendsOf(operation) }))
  for (const txn of txns) {
    for (const [key, elements] of txn.appends) {
      const ofKey = writers.get(key) ?? new Map<number, AppendTxn>()
      writers.set(key, ofKey)
      for (const element of elements) {
        const other = ofKey.get(element)
        if (other !== undefined) anomalies.push(attemptedTwice(key, element, other, txn))
        ofKey.set(element, txn)
      }
    }
    for (const [key, elements] of externalReads(txn, anomalies)) {
      const ofKey = reads.get(key) ?? []
      reads.set(key, ofKey)
      ofKey.push({ by: txn, elements })
    }
  }
  return { txns, reads, writers, anomalies }
}

function appendsOf({ steps }: AppendOperation): ReadonlyMap<string, readonly number[]> {
  const appends = new Map<string, number[]>()
  for (const step of steps) {
    if (step.f === 'append') appends.set(step.key, [...(appends.get(step.key) ?? []), step.element])
  }
  return appends
}

/** By key, how the list was before the transaction. */
function externalReads({ operation }: AppendTxn, anomalies: Anomaly[]): ReadonlyMap<string, readonly number[]> {
  const external = new Map<string, readonly number[]>()
  if (operation.outcome !== 'ok') return external
  const own = new Map<string, number[]>()
  let next = 0
  for (const step of operation.steps) {
    const appended = own.get(step.key) ?? []
    own.set(step.key, appended)
    if (step.f === 'append') {
      appended.push(step.element)
      continue
    }
    const elements = operation.answer.reads[next++] ?? []
    const before = elements.slice(0, Math.max(0, elements.length - appended.length))
    const known = external.get(step.key) ?? before
    if (isSame([...known, ...appended], elements)) external.set(step.key, known)
    else {
      const read = `${step.key} was read as [${elements.slice(-20).join(' ')}]`
      const text = `${read} against what the transaction itself had read or appended`
      anomalies.push(anomaly('list-append', 'internal', text, [operation]))
    }
  }
  return external
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((element, index) => element === b[index])
}

function attemptedTwice(key: string, element: number, one: AppendTxn, other: AppendTxn): Anomaly {
  const text = `${element} was appended to ${key} by two requests: the history cannot be judged`
  return anomaly('list-append', 'appended-twice', text, [one.operation, other.operation])
}
