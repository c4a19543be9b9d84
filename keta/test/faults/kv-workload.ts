/** All kinds of requests on a small key space: what a replay of the log must explain to the letter. */
import type { KeyRange, RangeRequest, Request } from '../checkers/history.ts'
import type { Random } from '../differential/random.ts'
import type { Recorder } from './recorder.ts'
import type { WorkerPorts, Workload } from './workload.ts'

const KEYS = 24
/** Of the revisions that are not compacted yet. */
const KEPT = 1_500

export class KvWorkload implements Workload {
  readonly name = 'kv'
  readonly workersPerNode = 2
  readonly #watched: () => number
  #revision = 1
  #compacted = 1

  /** @param watched up to which revision the watcher of all keys has been told all: later ones are not compacted. */
  constructor(watched: () => number) {
    this.#watched = watched
  }

  async step({ client, random }: WorkerPorts): Promise<boolean> {
    const call = await client.kv(this.#request(client.recorder, random))
    if (call.outcome === 'ok') this.#revision = Math.max(this.#revision, call.answer.revision)
    return call.outcome !== 'info'
  }

  #request(recorder: Recorder, random: Random): Request {
    return random.weighted<() => Request>([
      [30, () => put(recorder, random)],
      [8, () => ({ f: 'delete', ...anyRange(random), prevKv: random.oneIn(2) })],
      [30, () => this.#range(random)],
      [24, () => this.#txn(recorder, random)],
      [0.2, () => this.#compaction()],
    ])()
  }

  #range(random: Random): RangeRequest {
    const range = { f: 'range', ...anyRange(random) } as const
    return random.weighted<() => RangeRequest>([
      [4, () => range],
      [2, () => ({ ...range, serializable: true })],
      [1, () => ({ ...range, limit: 1 + random.below(3) })],
      [1, () => ({ ...range, countOnly: true })],
      [2, () => ({ ...range, revision: Math.max(1, this.#revision - random.below(200)) })],
    ])()
  }

  #txn(recorder: Recorder, random: Random): Request {
    const key = anyKey(random)
    const to = Math.max(0, this.#revision - random.below(100))
    const [one, ...others] = distinctPuts(recorder, random)
    return {
      f: 'txn',
      compare: [
        random.oneIn(2)
          ? { key, target: 'mod', result: '<', to }
          : { key, target: 'version', result: '>', to: random.below(4) },
      ],
      success: [...(one === undefined ? [] : [one]), ...others, { f: 'range', ...anyRange(random) }],
      failure: random.oneIn(2) ? [{ f: 'range', ...anyRange(random) }] : [{ f: 'delete', key, prevKv: true }],
    }
  }

  #compaction(): Request {
    this.#compacted = Math.max(this.#compacted, Math.min(this.#revision - KEPT, this.#watched() - KEPT), 1)
    return { f: 'compact', revision: this.#compacted }
  }
}

function put(recorder: Recorder, random: Random, key = anyKey(random)): Request {
  return { f: 'put', key, value: String(recorder.unique()), prevKv: random.oneIn(3) }
}

/** A transaction may put a key once. */
function distinctPuts(recorder: Recorder, random: Random): readonly Request[] {
  const keys = new Set(Array.from({ length: 1 + random.below(3) }, () => anyKey(random)))
  return [...keys].map((key) => put(recorder, random, key))
}

function anyKey(random: Random): string {
  return keyAt(random.below(KEYS))
}

function keyAt(index: number): string {
  return `k/${String(index).padStart(2, '0')}`
}

function anyRange(random: Random): KeyRange {
  const first = random.below(KEYS)
  if (random.oneIn(2)) return { key: keyAt(first) }
  return { key: keyAt(first), rangeEnd: keyAt(first + 1 + random.below(4)) }
}
