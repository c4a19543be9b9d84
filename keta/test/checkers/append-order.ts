/** The order of the clock among transactions: per process, and of those that were over before others began. */
import type { AppendTxn } from './append-txns.ts'
import type { Edge } from './dependency-graph.ts'

/**
 * Without those that follow from others: from each transaction only to those that began after it, but before anything
 * that began after it was over.
 */
export function realTimeEdges(txns: readonly AppendTxn[]): readonly Edge[] {
  const happened = txns.filter(({ operation }) => operation.outcome !== 'fail')
  const begins = happened.map((txn) => ({ at: txn.operation.invoke, isEnd: false, txn }))
  const ends = happened
    .filter(({ operation }) => operation.outcome === 'ok')
    .map((txn) => ({ at: txn.operation.return, isEnd: true, txn }))
  // at one reading of the clock whoever begins is taken to overlap with whoever ends
  const moments = begins.concat(ends).sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd))
  const edges: Edge[] = []
  const frontier = new Set<AppendTxn>()
  const latest = new Map<number, AppendTxn>()
  for (const { isEnd, txn } of moments) {
    const { invoke, process } = txn.operation
    if (isEnd) {
      for (const other of frontier) if (other.operation.return < invoke) frontier.delete(other)
      frontier.add(txn)
      continue
    }
    for (const { node } of frontier)
      edges.push({ from: node, to: txn.node, type: 'realtime', why: 'it was over before' })
    const before = latest.get(process)
    if (before?.operation.outcome === 'ok') {
      edges.push({ from: before.node, to: txn.node, type: 'process', why: `process ${process} did so` })
    }
    latest.set(process, txn)
  }
  return edges
}
