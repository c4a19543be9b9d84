/**
 * Transactions that append to lists and read them. A list shows in which order it was written, so reads tell what came
 * before what; a cycle among those reasons, or a revision against one of them, is an anomaly.
 */
import { type Anomaly, anomaly } from './anomaly.ts'
import { realTimeEdges } from './append-order.ts'
import { type AppendTxn, appendTxnsOf, type KeyRead } from './append-txns.ts'
import { DependencyGraph, type Edge } from './dependency-graph.ts'
import type { AppendOperation, History } from './history.ts'

/** One list, as far as the reads show it. */
interface List {
  readonly key: string
  /** The longest read. */
  readonly order: readonly number[]
  readonly writers: ReadonlyMap<number, AppendTxn>
  readonly reads: readonly KeyRead[]
  /** What is not a beginning of the longest. */
  readonly strayReads: readonly KeyRead[]
}

export function checkListAppend(history: History): readonly Anomaly[] {
  const operations = history.filter((record) => record.kind === 'append')
  if (operations.length === 0) return []
  const { txns, reads, writers, anomalies } = appendTxnsOf(operations)
  const found = [...anomalies]
  const graph = new DependencyGraph(txns.length)
  for (const key of new Set([...writers.keys(), ...reads.keys()])) {
    const list = listOf(key, reads.get(key) ?? [], writers.get(key) ?? new Map<number, AppendTxn>(), found)
    found.push(...checkReads(list), ...dirtyUpdates(list), ...lostUpdates(list))
    for (const edge of dependencies(list)) graph.add(edge)
  }
  for (const edge of realTimeEdges(txns)) graph.add(edge)
  return [...found, ...cycles(graph, txns), ...revisions(graph, txns)]
}

function listOf(
  key: string,
  reads: readonly KeyRead[],
  writers: ReadonlyMap<number, AppendTxn>,
  found: Anomaly[],
): List {
  const longest = reads.reduce<KeyRead | undefined>(
    (a, b) => (a && a.elements.length >= b.elements.length ? a : b),
    undefined,
  )
  const order = longest?.elements ?? []
  const isBeginning = ({ elements }: KeyRead): boolean => elements.every((element, index) => element === order[index])
  const strayReads = reads.filter((read) => !isBeginning(read))
  for (const read of strayReads) {
    if (longest === undefined) break
    const both = `${listText(read.elements)} and as ${listText(order)}`
    const text = `${key} was read as ${both}: no order of appends gives both`
    found.push(anomaly('list-append', 'incompatible-order', text, [read.by.operation, longest.by.operation]))
  }
  if (longest !== undefined && new Set(order).size < order.length) {
    const text = `${key} has an element twice: ${listText(order)}`
    found.push(anomaly('list-append', 'duplicate-elements', text, [longest.by.operation]))
  }
  return { key, order, writers, reads: reads.filter(isBeginning), strayReads }
}

/** Elements that must not be seen: of nobody (phantom), of a failed transaction (G1a), of the middle of one (G1b). */
function checkReads({ key, order, writers, reads, strayReads }: List): readonly Anomaly[] {
  const found: Anomaly[] = []
  const told = new Set<number>()
  for (const { by, elements } of reads.concat(strayReads)) {
    const last = elements.at(-1)
    // of the beginnings of the longest only what they end with: the longest is looked at itself
    const isPart = elements.length < order.length && last === order[elements.length - 1]
    for (const element of isPart ? elements.slice(-1) : elements) {
      const writer = writers.get(element)
      if (writer !== undefined && writer.operation.outcome !== 'fail') continue
      if (told.has(element)) continue
      told.add(element)
      found.push(
        writer === undefined
          ? anomaly('list-append', 'phantom-element', `${key} has ${element}, which nobody appended`, [by.operation])
          : anomaly('list-append', 'G1a', `${key} has ${element} of a transaction that failed`, [
              writer.operation,
              by.operation,
            ]),
      )
    }
    const writer = last === undefined ? undefined : writers.get(last)
    if (last === undefined || writer === undefined || writer === by) continue
    const final = writer.appends.get(key)?.at(-1)
    if (final === last) continue
    const text = `${key} was read up to ${last}, in the middle of a transaction that then appended ${final}`
    found.push(anomaly('list-append', 'G1b', text, [writer.operation, by.operation]))
  }
  return found
}

/** What failed was built upon. */
function dirtyUpdates({ key, order, writers }: List): readonly Anomaly[] {
  for (const [index, element] of order.entries()) {
    const failed = writers.get(element)
    const later = order.slice(index + 1).map((one) => writers.get(one))
    const upon = later.find((writer) => writer?.operation.outcome === 'ok')
    if (failed?.operation.outcome !== 'fail' || upon === undefined) continue
    const text = `${key}: a committed append comes after ${element}, whose transaction failed`
    return [anomaly('list-append', 'dirty-update', text, [failed.operation, upon.operation])]
  }
  return []
}

/** Several committed on top of the same version. */
function lostUpdates({ key, reads }: List): readonly Anomaly[] {
  const upon = new Map<number, AppendOperation[]>()
  for (const { by, elements } of reads) {
    if (!by.appends.has(key)) continue
    const others = upon.get(elements.length)
    if (others === undefined) upon.set(elements.length, [by.operation])
    else if (!others.includes(by.operation)) others.push(by.operation)
  }
  return [...upon].flatMap(([length, operations]) => {
    if (operations.length < 2) return []
    const text = `${operations.length} transactions read ${key} with ${length} elements and committed an append to it`
    return [anomaly('list-append', 'lost-update', text, operations)]
  })
}

/** ww, wr and rw. What was committed and nobody has read comes after all that was. */
function* dependencies({ key, order, writers, reads }: List): Generator<Edge> {
  const writerAt = (index: number): AppendTxn | undefined => {
    const writer = writers.get(order[index] ?? NaN)
    return writer?.operation.outcome === 'fail' ? undefined : writer
  }
  for (let index = 1; index < order.length; index++) {
    const [before, after] = [writerAt(index - 1), writerAt(index)]
    if (before === undefined || after === undefined) continue
    yield {
      from: before.node,
      to: after.node,
      type: 'ww',
      why: `${key} has ${order[index - 1]} before ${order[index]}`,
    }
  }
  const seen = new Set(order)
  const unseen = [...writers].filter(([element, { operation }]) => operation.outcome === 'ok' && !seen.has(element))
  for (const { by, elements } of reads) {
    const length = elements.length
    const writer = writerAt(length - 1)
    const next = writerAt(length)
    if (writer !== undefined) {
      yield { from: writer.node, to: by.node, type: 'wr', why: `it saw ${key} with ${elements[length - 1]}` }
    }
    if (next !== undefined) {
      yield { from: by.node, to: next.node, type: 'rw', why: `it had not seen ${key} with ${order[length]}` }
    }
    for (const [element, { node }] of length === order.length ? unseen : []) {
      yield { from: by.node, to: node, type: 'rw', why: `it had not seen ${key} with ${element}` }
    }
  }
}

function cycles(graph: DependencyGraph, txns: readonly AppendTxn[]): readonly Anomaly[] {
  return graph.cycles().map(({ name, edges }) => {
    const number = (node: number): number => edges.findIndex(({ from }) => from === node) + 1
    const reasons = edges.map(
      ({ from, to, type, why }) =>
        `  T${number(from)} before T${number(to)} (${type}): ${reason(type, why, number(to))}`,
    )
    const involved = edges.flatMap(({ from }) => txns[from]?.operation ?? [])
    return anomaly(
      'list-append',
      name,
      [`each of these came before the next, in a circle:`, ...reasons].join('\n'),
      involved,
    )
  })
}

function reason(type: Edge['type'], why: string, to: number): string {
  return type === 'wr' ? `T${to}: ${why}` : why
}

/** Whatever came before has a lower revision, or the same as what only reads after it. */
function revisions(graph: DependencyGraph, txns: readonly AppendTxn[]): readonly Anomaly[] {
  const found: Anomaly[] = []
  for (const { from, to, type, why } of graph.edges()) {
    const [before, after] = [txns[from], txns[to]]
    if (before?.operation.outcome !== 'ok' || after?.operation.outcome !== 'ok') continue
    const [lower, upper] = [before.operation.answer.revision, after.operation.answer.revision]
    if (lower < upper || (lower === upper && after.appends.size === 0)) continue
    const text = `the first came before the second (${type}: ${why}) but has revision ${lower}, the second ${upper}`
    found.push(anomaly('list-append', 'revision-against-order', text, [before.operation, after.operation]))
  }
  return found
}

function listText(elements: readonly number[]): string {
  return elements.length > 20 ? `[… ${elements.slice(-20).join(' ')}]` : `[${elements.join(' ')}]`
}
