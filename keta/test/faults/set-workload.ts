/** Sets, one after another: each element is a key that is put once; a read is a range. */
import type { RecordedClient } from './recorded-client.ts'
import type { WorkerPorts, Workload } from './workload.ts'

const ELEMENTS_PER_SET = 400
const READ_ONCE_IN = 25

export class SetWorkload implements Workload {
  readonly name = 'sets'
  readonly workersPerNode = 1
  #elements = 0
  #sets = 0

  async step({ client, random }: WorkerPorts): Promise<boolean> {
    if (random.oneIn(READ_ONCE_IN)) return this.#read(client, `${Math.max(0, this.#sets - 1 - random.below(2))}`)
    return this.#add(client)
  }

  /** Every set is read once more. */
  async finish(client: RecordedClient): Promise<void> {
    for (let set = 0; set < this.#sets; set++) await this.#read(client, String(set))
  }

  async #add(client: RecordedClient): Promise<boolean> {
    const element = this.#elements++
    const set = String(Math.floor(element / ELEMENTS_PER_SET))
    this.#sets = Math.max(this.#sets, Number(set) + 1)
    const call = await client.kv({ f: 'put', key: keyOf(set, element), value: String(client.recorder.unique()) })
    const { process, endpoint, invoke, return: end } = call
    const outcome =
      call.outcome === 'ok' ? { outcome: call.outcome, answer: { revision: call.answer.revision } } : failureOf(call)
    client.recorder.add({ kind: 'set', f: 'add', set, element, process, endpoint, invoke, return: end, ...outcome })
    return call.outcome === 'ok'
  }

  async #read(client: RecordedClient, set: string): Promise<boolean> {
    const call = await client.kv({ f: 'range', key: `s/${set}/`, rangeEnd: `s/${set}0` })
    if (call.outcome !== 'ok' || call.answer.result.f !== 'range') return false
    const { process, endpoint, invoke, return: end, answer } = call
    const elements = call.answer.result.kvs.map(({ key }) => Number(key.slice(key.lastIndexOf('/') + 1)))
    const read = { revision: answer.revision, elements }
    const about = { process, endpoint, invoke, return: end }
    client.recorder.add({ kind: 'set', f: 'read', set, ...about, outcome: 'ok', answer: read })
    return true
  }
}

function keyOf(set: string, element: number): string {
  return `s/${set}/${String(element).padStart(9, '0')}`
}

function failureOf({ outcome, error }: { readonly outcome: 'fail' | 'info'; readonly error?: string }) {
  return { outcome, ...(error === undefined ? {} : { error }) }
}
