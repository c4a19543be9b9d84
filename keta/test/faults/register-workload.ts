/** Registers: reads, writes and compare-and-set of few keys, other ones every few seconds. */
import type { Compare, Request } from '../checkers/history.ts'
import type { Random } from '../differential/random.ts'
import type { Recorder } from './recorder.ts'
import type { WorkerPorts, Workload } from './workload.ts'

const KEYS = 3
/** Nanoseconds. The search of an order takes longer the more a key sees. */
const ROTATION = 4e9

export class RegisterWorkload implements Workload {
  readonly name = 'registers'
  readonly workersPerNode = 2
  /** What each key was last seen as, by whoever: what it is compared with. */
  readonly #seen = new Map<string, { readonly value: string; readonly modRevision: number }>()

  async step({ client, random }: WorkerPorts): Promise<boolean> {
    const { recorder } = client
    const key = `r/${Math.floor(recorder.now() / ROTATION)}/${random.below(KEYS)}`
    const outcome = await client.kv(this.#request(key, recorder, random))
    if (outcome.outcome === 'ok' && outcome.answer.result.f === 'range') {
      const [kv] = outcome.answer.result.kvs
      if (kv !== undefined) this.#seen.set(key, kv)
    }
    return outcome.outcome === 'ok'
  }

  #request(key: string, recorder: Recorder, random: Random): Request {
    const value = String(recorder.unique())
    return random.weighted<() => Request>([
      [50, () => ({ f: 'range', key })],
      [25, () => ({ f: 'put', key, value })],
      [4, () => ({ f: 'delete', key })],
      [21, () => this.#compareAndSet(key, value, random)],
    ])()
  }

  #compareAndSet(key: string, value: string, random: Random): Request {
    const seen = this.#seen.get(key)
    const compare: Compare = random.oneIn(2)
      ? { key, target: 'mod', result: '=', to: seen?.modRevision ?? 0 }
      : { key, target: 'value', result: '=', to: seen?.value ?? 'none' }
    return {
      f: 'txn',
      compare: [compare],
      success: [{ f: 'put', key, value }],
      failure: [{ f: 'range', key }],
    }
  }
}
