/**
 * Transactions over lists. A list is the value of a key. A transaction reads its lists, then puts what it appends if
 * none of them has changed since: two requests, of which the second decides.
 */
import type { Compare, KeyValue, Outcome, Request, Result, Step } from '../checkers/history.ts'
import type { Random } from '../differential/random.ts'
import type { RecordedClient } from './recorded-client.ts'
import type { WorkerPorts, Workload } from './workload.ts'

const KEYS = 4
const STEPS_MOST = 4
/** Of one list: whole lists are read and written. */
const ELEMENTS_PER_KEY = 150

interface Committed {
  readonly revision: number
  readonly reads: readonly (readonly number[])[]
}

type Decision = Outcome<Committed>

export class AppendWorkload implements Workload {
  readonly name = 'lists'
  readonly workersPerNode = 1
  #appended = 0

  async step({ client, random }: WorkerPorts): Promise<boolean> {
    const steps = this.#steps(random)
    const { recorder } = client
    const invoke = recorder.now()
    const keys = [...new Set(steps.map(({ key }) => key))]
    const read = await client.kv(transaction([], keys.map(readOf)))
    const { process, endpoint } = read
    const decision =
      read.outcome === 'ok'
        ? await decide(client, steps, statesOf(keys, read.answer.result), read.answer.revision)
        : { outcome: 'fail' as const, error: 'not read' }
    recorder.add({ kind: 'append', steps, process, endpoint, invoke, return: recorder.now(), ...decision })
    return decision.outcome === 'ok'
  }

  #steps(random: Random): readonly Step[] {
    const generation = Math.floor(this.#appended / (KEYS * ELEMENTS_PER_KEY))
    return Array.from({ length: 1 + random.below(STEPS_MOST) }, (): Step => {
      const key = `l/${generation}/${random.below(KEYS)}`
      return random.oneIn(2) ? { f: 'read', key } : { f: 'append', key, element: ++this.#appended }
    })
  }
}

async function decide(
  client: RecordedClient,
  steps: readonly Step[],
  states: ReadonlyMap<string, KeyValue | undefined>,
  readAt: number,
): Promise<Decision> {
  const lists = new Map([...states].map(([key, kv]) => [key, elementsOf(kv)]))
  const reads = steps.flatMap((step): (readonly number[])[] => {
    const list = lists.get(step.key) ?? []
    if (step.f === 'read') return [list]
    lists.set(step.key, [...list, step.element])
    return []
  })
  const written = new Set(steps.flatMap((step) => (step.f === 'append' ? [step.key] : [])))
  if (written.size === 0) return { outcome: 'ok', answer: { revision: readAt, reads } }
  const unchanged = [...states].map(
    ([key, kv]): Compare => ({ key, target: 'mod', result: '=', to: kv?.modRevision ?? 0 }),
  )
  const puts = [...written].map((key): Request => ({ f: 'put', key, value: (lists.get(key) ?? []).join(' ') }))
  const write = await client.kv(transaction(unchanged, puts))
  if (write.outcome !== 'ok') return { outcome: write.outcome, ...(write.error ? { error: write.error } : {}) }
  const { revision, result } = write.answer
  if (result.f !== 'txn' || !result.succeeded) return { outcome: 'fail', error: 'a list had changed' }
  return { outcome: 'ok', answer: { revision, reads } }
}

function transaction(compare: readonly Compare[], success: readonly Request[]): Request {
  return { f: 'txn', compare, success, failure: [] }
}

function readOf(key: string): Request {
  return { f: 'range', key }
}

function statesOf(keys: readonly string[], result: Result): ReadonlyMap<string, KeyValue | undefined> {
  const ranges = result.f === 'txn' ? result.results : []
  return new Map(
    keys.map((key, index) => {
      const range = ranges[index]
      return [key, range?.f === 'range' ? range.kvs[0] : undefined]
    }),
  )
}

function elementsOf(kv: KeyValue | undefined): readonly number[] {
  return kv === undefined ? [] : kv.value.split(' ').map(Number)
}
