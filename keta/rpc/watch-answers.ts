/**
 * Encodes WatchResponses by hand. The hub gives equal lists of events as the same array, so their encoding is kept by
 * the array's identity: a thousand watchers of one key cost one encoding and a thousand copies. The field numbers are
 * those of proto/etcdserverpb/rpc.proto and proto/mvccpb/kv.proto.
 */
import { bigFieldLength, ProtoWriter, varintLength } from '../bytes/proto-writer.ts'
import type { WatchAnswer, WatchEvent } from '../watch/watch.ts'
import { WATCH_REFUSALS } from './errors.ts'
import type { Headers } from './header.ts'

const HEADER = 1
const WATCH_ID = 2
const CREATED = 3
const CANCELED = 4
const COMPACT_REVISION = 5
const CANCEL_REASON = 6
const FRAGMENT = 7
const EVENTS = 11

const EVENT_TYPE = 1
const EVENT_KV = 2
const EVENT_PREVIOUS = 3
const TYPE_DELETE = 1

/** A tag and the value 1 or true. */
const ONE_LENGTH = 2
/** What the writer may reserve beyond the end for a varint. */
const SLACK = 10
/** The id of answers that belong to no watcher. */
const NO_WATCH = -1n

/** The events of one answer as they stand in it, tags included. */
interface EncodedEvents {
  readonly bytes: Uint8Array
  /** Where each event ends in `bytes`. */
  readonly ends: readonly number[]
}

type EventsAnswer = Extract<WatchAnswer, { kind: 'events' }>

export class WatchAnswers {
  readonly #headers: Headers
  readonly #fragmentBytes: number
  readonly #encoded = new WeakMap<readonly WatchEvent[], EncodedEvents>()

  /** @param fragmentBytes from this size on an answer is cut, for watchers that asked for it. */
  constructor(headers: Headers, fragmentBytes: number) {
    this.#headers = headers
    this.#fragmentBytes = fragmentBytes
  }

  /** The WatchResponses that the answer is sent as: one, or the fragments of one. */
  encode(answer: WatchAnswer): readonly Uint8Array[] {
    switch (answer.kind) {
      case 'created':
        return [this.#control(answer.revision, answer.watchId, (writer) => writer.boolField(CREATED, true))]
      case 'refused':
        return [this.refusal(answer.revision, WATCH_REFUSALS[answer.reason])]
      case 'progress':
        return [this.#control(answer.revision, answer.watchId, () => undefined)]
      case 'canceled':
        return [this.#control(answer.revision, answer.watchId, (writer) => writer.boolField(CANCELED, true))]
      case 'compacted':
        // Revision 0: etcd gives none here.
        return [
          this.#control(0, answer.watchId, (writer) => {
            writer.boolField(CANCELED, true)
            writer.intField(COMPACT_REVISION, answer.compactRevision)
          }),
        ]
      case 'events':
        return this.#events(answer)
    }
  }

  /** Of a watch that was not created. */
  refusal(revision: number, reason: string): Uint8Array {
    return this.#control(revision, NO_WATCH, (writer) => {
      writer.boolField(CREATED, true)
      writer.boolField(CANCELED, true)
      writer.stringField(CANCEL_REASON, reason)
    })
  }

  #control(revision: number, watchId: bigint, write: (writer: ProtoWriter) => void): Uint8Array {
    const writer = new ProtoWriter()
    writer.messageField(HEADER, this.#headers.encoded(revision))
    writer.bigField(WATCH_ID, watchId)
    write(writer)
    return writer.finish()
  }

  #events(answer: EventsAnswer): readonly Uint8Array[] {
    const { bytes, ends } = this.#encodedEvents(answer.events)
    const whole = this.#answerWith(answer, bytes, false)
    if (!answer.fragment || whole.length < this.#fragmentBytes || ends.length < 2) return [whole]
    const fragments: Uint8Array[] = []
    const overhead = whole.length - bytes.length + ONE_LENGTH
    for (let first = 0; first < ends.length; ) {
      const next = this.#endOfFragment(ends, first, overhead)
      const part = bytes.subarray(startOf(ends, first), startOf(ends, next))
      fragments.push(this.#answerWith(answer, part, next < ends.length))
      first = next
    }
    return fragments
  }

  /** As many events as stay below the limit, but at least one: the index of the first that does not go along. */
  #endOfFragment(ends: readonly number[], first: number, overhead: number): number {
    let next = first + 1
    while (next < ends.length && overhead + startOf(ends, next + 1) - startOf(ends, first) < this.#fragmentBytes) next++
    return next
  }

  #answerWith({ watchId, revision }: EventsAnswer, events: Uint8Array, more: boolean): Uint8Array {
    const header = this.#headers.encoded(revision)
    const length =
      1 + varintLength(header.length) + header.length + bigFieldLength(watchId) + ONE_LENGTH + events.length
    const writer = new ProtoWriter(length + SLACK)
    writer.messageField(HEADER, header)
    writer.bigField(WATCH_ID, watchId)
    writer.boolField(FRAGMENT, more)
    writer.raw(events)
    return writer.finish()
  }

  #encodedEvents(events: readonly WatchEvent[]): EncodedEvents {
    const known = this.#encoded.get(events)
    if (known !== undefined) return known
    const encoded = encodeEvents(events)
    this.#encoded.set(events, encoded)
    return encoded
  }
}

function encodeEvents(events: readonly WatchEvent[]): EncodedEvents {
  const lengths = events.map(eventLength)
  const total = lengths.reduce((sum, length) => sum + messageLength(length), 0)
  const writer = new ProtoWriter(total + SLACK)
  const ends: number[] = []
  for (const [index, watched] of events.entries()) {
    writer.beginField(EVENTS, lengths[index] ?? 0)
    writeEvent(writer, watched)
    ends.push(writer.length)
  }
  return { bytes: writer.finish(), ends }
}

function eventLength({ event, previous }: WatchEvent): number {
  const type = event.version.version === 0 ? ONE_LENGTH : 0
  const before = previous === undefined ? 0 : messageLength(previous.encodedLength)
  return type + messageLength(event.version.encodedLength) + before
}

function writeEvent(writer: ProtoWriter, { event, previous }: WatchEvent): void {
  if (event.version.version === 0) writer.intField(EVENT_TYPE, TYPE_DELETE)
  writer.messageField(EVENT_KV, event.version.encoded())
  if (previous !== undefined) writer.messageField(EVENT_PREVIOUS, previous.encoded())
}

/** Tag (one byte), length and content. */
function messageLength(contentLength: number): number {
  return 1 + varintLength(contentLength) + contentLength
}

function startOf(ends: readonly number[], index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0)
}
