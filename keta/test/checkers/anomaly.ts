/** What a checker finds, as data, and how operations are shown to whoever has to find out why. */
import type { HistoryRecord, Operation, Request, Result } from './history.ts'

export type Checker = 'register' | 'list-append' | 'set' | 'watch' | 'total-order' | 'real-time'

export interface Anomaly {
  readonly checker: Checker
  /** In kebab-case, or a name from the literature as G1a. */
  readonly kind: string
  /** What is wrong, then the operations involved, one a line. */
  readonly message: string
}

/** @param involved in the order in which they are told. */
export function anomaly(
  checker: Checker,
  kind: string,
  text: string,
  involved: readonly HistoryRecord[] = [],
): Anomaly {
  return { checker, kind, message: [text, ...involved.map((record) => `  ${describe(record)}`)].join('\n') }
}

/** One line: who, where, what, when, and what came of it. */
export function describe(record: HistoryRecord): string {
  if (record.kind === 'watch') {
    return `watcher ${record.watcher} at ${record.endpoint}, ${rangeText(record)} from revision ${record.startRevision}`
  }
  const { process, endpoint, invoke, outcome } = record
  const until = outcome === 'info' ? '?' : record.return
  return `process ${process} at ${endpoint}, ${invoke}..${until}: ${whatOf(record)}${outcomeOf(record)}`
}

function whatOf(operation: Operation): string {
  switch (operation.kind) {
    case 'kv':
      return requestText(operation.request)
    case 'register': {
      if (operation.f === 'read') return `read ${operation.key}`
      if (operation.f === 'write') return `write ${operation.key} = ${operation.value ?? 'nothing'}`
      return `cas ${operation.key} ${JSON.stringify(operation.expect)} to ${operation.value ?? 'nothing'}`
    }
    case 'set':
      return operation.f === 'add' ? `add ${operation.element} to ${operation.set}` : `read ${operation.set}`
    case 'append':
      return operation.steps.map((step) => (step.f === 'read' ? step.key : `${step.key}+${step.element}`)).join(' ')
  }
}

function outcomeOf(operation: Operation): string {
  if (operation.outcome !== 'ok') return ` → ${operation.outcome}${operation.error ? ` (${operation.error})` : ''}`
  const { revision, ...rest } = operation.answer
  const said = 'result' in rest ? resultText(rest.result) : short(JSON.stringify(rest))
  return ` → revision ${revision}${said === '{}' ? '' : ` ${said}`}`
}

export function requestText(request: Request): string {
  switch (request.f) {
    case 'range':
      return `range ${rangeText(request)}${request.revision ? ` @${request.revision}` : ''}`
    case 'put':
      return `put ${request.key} = ${short(request.value)}`
    case 'delete':
      return `delete ${rangeText(request)}`
    case 'compact':
      return `compact ${request.revision}`
    case 'txn': {
      const conditions = request.compare.map(
        ({ target, key, result, to }) => `${target}(${key}) ${result} ${short(String(to))}`,
      )
      const branch = (requests: readonly Request[]): string => `[${requests.map(requestText).join('; ')}]`
      return `txn if ${conditions.join(', ')} then ${branch(request.success)} else ${branch(request.failure)}`
    }
  }
}

export function resultText(result: Result): string {
  switch (result.f) {
    case 'range':
      return short(
        `${result.count}: ${result.kvs.map((kv) => `${kv.key} = ${kv.value} (${kv.modRevision})`).join(', ')}`,
      )
    case 'put':
    case 'compact':
      return 'done'
    case 'delete':
      return `deleted ${result.deleted}`
    case 'txn':
      return `${result.succeeded ? 'then' : 'else'} [${result.results.map(resultText).join('; ')}]`
  }
}

export function rangeText({ key, rangeEnd }: { readonly key: string; readonly rangeEnd?: string }): string {
  return rangeEnd === undefined ? JSON.stringify(key) : `${JSON.stringify(key)} to ${JSON.stringify(rangeEnd)}`
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 160)} … ${text.slice(-30)}` : text
}
