/** Everything that one server sent on one watch stream, sorted by watch, with what must hold on any server checked. */
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { type WatchResponse, WatchResponseSchema } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { EventSchema } from '../../proto/gen/mvccpb/kv_pb.js'
import { show } from './show.ts'

/** An answer with `fragment` ends soon after this size. */
const FRAGMENT_BYTES = 2 * 1024 * 1024

export class WatchTape {
  /** Answers to create and cancel requests, and cancellations by the server, in order. */
  controls: WatchResponse[] = []
  /** Revision of the newest answer without events. */
  progress = 0n
  /** What no server may do; undefined so far if all is well. */
  violation: string | undefined
  #events = new Map<bigint, string[]>()
  readonly #last = new Map<bigint, { readonly revision: bigint; readonly fragment: boolean }>()

  receive(bytes: Uint8Array): void {
    const answer = fromBinary(WatchResponseSchema, bytes)
    if (answer.created || answer.canceled) this.#control(answer)
    else if (answer.events.length === 0) this.progress = answer.header?.revision ?? -1n
    else this.#append(answer, bytes.length)
  }

  end(reason: string): void {
    this.violation ??= `the stream ended: ${reason}`
  }

  /** The events received since the last call: an encoded Event each, by watch id. */
  takeEvents(): ReadonlyMap<bigint, readonly string[]> {
    const events = this.#events
    this.#events = new Map()
    return events
  }

  eventCount(): number {
    let count = 0
    for (const events of this.#events.values()) count += events.length
    return count
  }

  #control(answer: WatchResponse): void {
    this.controls.push(answer)
    if (answer.created) this.#last.delete(answer.watchId)
  }

  #append(answer: WatchResponse, size: number): void {
    const { watchId, events, fragment } = answer
    const revisions = events.map((event) => event.kv?.modRevision ?? -1n)
    const [first = -1n, newest = -1n] = [revisions[0], revisions.at(-1)]
    const last = this.#last.get(watchId)
    if (last && (first < last.revision || (first === last.revision && !last.fragment))) {
      this.#violate(`revision ${first} after revision ${last.revision} was complete`, answer)
    }
    if (revisions.some((revision, i) => revision < (revisions[i - 1] ?? 0n)))
      this.#violate('events in disorder', answer)
    if ((answer.header?.revision ?? 0n) < newest) this.#violate('the header is older than the events', answer)
    if (fragment && size > FRAGMENT_BYTES + maxEventSize(answer)) this.#violate(`a fragment of ${size} bytes`, answer)
    this.#last.set(watchId, { revision: newest, fragment })
    const list = this.#events.get(watchId) ?? []
    for (const event of events) list.push(Buffer.from(toBinary(EventSchema, event)).toString('latin1'))
    this.#events.set(watchId, list)
  }

  #violate(what: string, answer: WatchResponse): void {
    this.violation ??= `${what}: ${show(answer).slice(0, 2000)}`
  }
}

/** Prints an event of `takeEvents`. */
export function showEvent(encoded: string | undefined): string {
  return encoded === undefined ? '(no event)' : show(fromBinary(EventSchema, Buffer.from(encoded, 'latin1')))
}

function maxEventSize(answer: WatchResponse): number {
  return Math.max(...answer.events.map((event) => toBinary(EventSchema, event).length + 16))
}
