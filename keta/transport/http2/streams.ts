/** The streams of one connection: what frames do to them, and what they do to the connection. */
import { performance } from 'node:perf_hooks'
import { FloodGuard } from './flood-guard.ts'
import type { FrameHandler, HeadersFlags } from './frame-parser.ts'
import { DEFAULT_WINDOW, FLAG, FRAME, LARGEST_STREAM_ID, SETTING } from './frames.ts'
import { HpackDecoder } from './hpack/hpack-decoder.ts'
import type { Http2Limits } from './limits.ts'
import type { Share } from './memory.ts'
import type { Output } from './output.ts'
import { PingPolicy } from './ping-policy.ts'
import { ERROR_CODE, type ErrorCodeName, ProtocolError } from './protocol-error.ts'
import { ReceiveBudget } from './receive-budget.ts'
import { checkTrailers, readRequestHead, type RequestHead } from './request-head.ts'
import { Sender } from './sender.ts'
import { Http2Stream, type StreamOwner, type StreamReceiver } from './stream.ts'

/** For all streams together. What is received is acknowledged at once; each stream's own window bounds what is held. */
const WINDOW = 1024 * 1024
/** Streams that were ended here while the client was still sending: what was on its way is ignored. */
const ABANDONED_MAX = 1024

/** What may wait of answers on a connection when all of them together hold much. */
const MODEST_BYTES = 1024 * 1024
/** What an open call takes besides its messages, about. */
const CALL_BYTES = 4096

/** From it on the end is near: what a client opens until it has heard of it must still have numbers. */
const LATE_STREAM_ID = LARGEST_STREAM_ID - 20_000

const NOTHING = Buffer.alloc(0)

/** Who serves a request. */
export type Accept = (stream: Http2Stream, head: RequestHead) => StreamReceiver

/** A call that is not handled while its client does not take the answers to others. */
export interface Waiter {
  roomMade(): void
}

export interface StreamsOptions {
  readonly limits: Http2Limits
  readonly output: Output
  readonly share: Share
  readonly accept: Accept
  /** The first SETTINGS have come, and others. */
  readonly onSettings: () => void
  readonly onPingAck: (bytes: Buffer, start: number) => void
  /** The client will soon have no number left for another stream. */
  readonly onExhausted: () => void
  /** There is no stream any more, and none will be opened. */
  readonly onDrained: () => void
}

export class Streams implements FrameHandler, StreamOwner {
  readonly output: Output
  readonly sender: Sender
  readonly budget: ReceiveBudget
  readonly #options: StreamsOptions
  readonly #limits: Http2Limits
  readonly #decoder: HpackDecoder
  readonly #guard: FloodGuard
  readonly #pings: PingPolicy
  readonly #streams = new Map<number, Http2Stream>()
  readonly #abandoned = new Set<number>()
  /** Ended here, and not by the client so far. */
  #lingering: Http2Stream[] = []
  readonly #waiting = new Set<Waiter>()
  /** Calls whose streams are gone and that are still being worked on. */
  #orphans = 0
  #lastStreamId = 0
  #window = WINDOW
  #newInitialWindow: number | undefined
  #isDraining = false

  constructor(options: StreamsOptions) {
    const { limits, output, share } = options
    this.output = output
    this.sender = new Sender(output, share)
    this.budget = new ReceiveBudget(limits.heldBytes, share)
    this.#options = options
    this.#limits = limits
    this.#decoder = new HpackDecoder(limits.headerBytes)
    this.#guard = new FloodGuard(limits.streams, () => performance.now())
    this.#pings = new PingPolicy(limits.pingMinMs, () => performance.now())
  }

  /** The last that was opened. */
  get lastStreamId(): number {
    return this.#lastStreamId
  }

  /** Whether the client takes its answers. If not, no further call of it should be handled. */
  get hasRoom(): boolean {
    const { unsent } = this.sender
    return unsent < MODEST_BYTES || (unsent < this.#limits.backlogBytes && !this.#options.share.isTight)
  }

  /** Tells once when the client takes its answers. */
  waitForRoom(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  stopWaiting(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  /** A call that is being worked on has lost its stream; it counts as open until `orphanDone`. */
  orphaned(): void {
    this.#orphans++
    this.#options.share.add(CALL_BYTES)
  }

  orphanDone(): void {
    this.#orphans--
    this.#options.share.add(-CALL_BYTES)
  }

  /** What the server says first. */
  greet(): void {
    const settings = Buffer.alloc(12)
    settings.writeUInt16BE(SETTING.MAX_CONCURRENT_STREAMS, 0)
    settings.writeUInt32BE(this.#limits.streams, 2)
    settings.writeUInt16BE(SETTING.MAX_HEADER_LIST_SIZE, 6)
    settings.writeUInt32BE(this.#limits.headerBytes, 8)
    this.output.frame(FRAME.SETTINGS, 0, 0, settings)
    this.output.number(FRAME.WINDOW_UPDATE, 0, WINDOW - DEFAULT_WINDOW)
  }

  /** No further stream is opened. */
  drain(): void {
    this.#isDraining = true
    if (this.#streams.size === 0) this.#options.onDrained()
  }

  /** The socket takes more. @throws ProtocolError */
  resume(): void {
    this.sender.pump()
    this.#runWaiting()
  }

  /** Clients are told to send no more of requests that have their answer. */
  endLingering(): void {
    if (this.#lingering.length === 0) return
    const lingering = this.#lingering
    this.#lingering = []
    for (const stream of lingering) {
      if (!stream.gone) this.reset(stream, 'NO_ERROR')
    }
  }

  /** Ends a stream whose client has broken the protocol. @throws ProtocolError if it does so again and again */
  failStream(error: ProtocolError): void {
    this.#guard.spend('errors of streams')
    this.output.number(FRAME.RST_STREAM, error.streamId, ERROR_CODE[error.code])
    const stream = this.#streams.get(error.streamId)
    if (stream === undefined) this.#abandon(error.streamId)
    else this.#close(stream)
  }

  /** The connection is gone. */
  closeAll(): void {
    this.#waiting.clear()
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
  }

  data(streamId: number, bytes: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void {
    this.#window -= flowBytes
    if (this.#window < 0) throw new ProtocolError('FLOW_CONTROL_ERROR', 'more than the window allows')
    if (this.#window <= WINDOW / 2) {
      this.output.number(FRAME.WINDOW_UPDATE, 0, WINDOW - this.#window)
      this.#window = WINDOW
    }
    if (start === end && !endStream) this.#guard.spend('frames without effect')
    const stream = this.#streams.get(streamId)
    if (stream === undefined || stream.remoteClosed) {
      this.#refuseLate('DATA', streamId, stream)
      return
    }
    stream.receive(bytes, start, end, flowBytes)
    if (endStream) this.#endOfRequest(stream)
  }

  headers(streamId: number, bytes: Buffer, start: number, end: number, flags: HeadersFlags): void {
    // Whatever becomes of them: the table has to know.
    const { fields, isTooLarge } = this.#decoder.decode(bytes, start, end)
    const stream = this.#streams.get(streamId)
    if (stream !== undefined) {
      if (stream.remoteClosed) this.#refuseLate('HEADERS', streamId, stream)
      if (!flags.endStream) throw new ProtocolError('PROTOCOL_ERROR', 'trailers that are not the end', streamId)
      checkTrailers(streamId, fields)
      this.#endOfRequest(stream)
      return
    }
    if (streamId % 2 === 0) throw new ProtocolError('PROTOCOL_ERROR', `a client opens stream ${streamId}`)
    if (streamId <= this.#lastStreamId) {
      if (this.#abandoned.has(streamId)) return
      const code = streamId === this.#lastStreamId ? 'STREAM_CLOSED' : 'PROTOCOL_ERROR'
      throw new ProtocolError(code, `stream ${streamId} after stream ${this.#lastStreamId}`)
    }
    // Not in the GOAWAY, which has been sent: the client knows that it is not served.
    if (this.#isDraining) return
    this.#lastStreamId = streamId
    if (streamId >= LATE_STREAM_ID) this.#options.onExhausted()
    if (flags.dependsOnItself) throw new ProtocolError('PROTOCOL_ERROR', 'a stream that depends on itself', streamId)
    if (isTooLarge) throw new ProtocolError('ENHANCE_YOUR_CALM', 'headers that are too large', streamId)
    if (this.#streams.size + this.#orphans >= this.#limits.streams) {
      throw new ProtocolError('REFUSED_STREAM', 'too many open streams', streamId)
    }
    this.#open(streamId, readRequestHead(streamId, fields), flags.endStream)
  }

  resetStream(streamId: number): void {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) {
      this.#mustHaveBeen('RST_STREAM', streamId)
      this.#guard.spend('frames without effect')
      return
    }
    stream.remoteClosed = true
    this.#close(stream)
    this.#guard.spend('resets')
  }

  setting(id: number, value: number): void {
    // The sender works on every stream with it: once for each frame, however often the frame says it.
    if (id === SETTING.INITIAL_WINDOW_SIZE) this.#newInitialWindow = value
    else if (id === SETTING.MAX_FRAME_SIZE) this.sender.setFrameBytes(value)
  }

  settingsEnd(): void {
    this.#options.onSettings()
    this.#guard.spend('settings')
    if (this.#newInitialWindow !== undefined) {
      this.sender.setInitialWindow(this.#newInitialWindow, this.#streams.values())
      this.#newInitialWindow = undefined
      this.#runWaiting()
    }
    this.output.frame(FRAME.SETTINGS, FLAG.ACK, 0, NOTHING)
  }

  settingsAck(): void {
    this.#guard.spend('settings')
  }

  ping(bytes: Buffer, start: number): void {
    this.output.frame(FRAME.PING, FLAG.ACK, 0, bytes.subarray(start, start + 8))
    this.#pings.ping(this.#streams.size > 0)
  }

  pingAck(bytes: Buffer, start: number): void {
    this.#guard.spend('frames without effect')
    this.#options.onPingAck(bytes, start)
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#guard.spend('window updates')
    if (streamId === 0) {
      this.sender.widenConnection(increment)
      this.#runWaiting()
      return
    }
    const stream = this.#streams.get(streamId)
    if (stream === undefined) this.#mustHaveBeen('WINDOW_UPDATE', streamId)
    else {
      this.sender.widen(stream, increment)
      this.#runWaiting()
    }
  }

  idle(): void {
    this.#guard.spend('frames without effect')
  }

  answered(): void {
    this.#pings.answered()
    this.#guard.credit('window updates', 2)
  }

  ended(stream: Http2Stream): void {
    this.#guard.credit('frames without effect', 2)
    if (stream.remoteClosed) this.#close(stream)
    else {
      // Its end may be in what has come already. If it is not, the client is told to send no more.
      this.#lingering.push(stream)
    }
  }

  reset(stream: Http2Stream, code: ErrorCodeName): void {
    this.output.number(FRAME.RST_STREAM, stream.id, ERROR_CODE[code])
    this.#close(stream)
  }

  #runWaiting(): void {
    for (const waiter of this.#waiting) {
      if (!this.hasRoom) return
      this.#waiting.delete(waiter)
      waiter.roomMade()
    }
  }

  #open(streamId: number, head: RequestHead, endStream: boolean): void {
    const stream = new Http2Stream(streamId, this, head.contentLength)
    this.#streams.set(streamId, stream)
    this.#options.share.add(CALL_BYTES)
    stream.receiver = this.#options.accept(stream, head)
    if (endStream) this.#endOfRequest(stream)
  }

  #endOfRequest(stream: Http2Stream): void {
    if (stream.gone) return
    stream.receiveEnd()
    if (stream.localClosed && stream.unsent === 0) this.#close(stream)
  }

  /** What comes on a stream that its client has ended. */
  #refuseLate(frame: string, streamId: number, stream: Http2Stream | undefined): void {
    if (stream === undefined) {
      this.#mustHaveBeen(frame, streamId)
      if (this.#abandoned.has(streamId)) return
    }
    throw new ProtocolError('STREAM_CLOSED', `${frame} on stream ${streamId}, which is closed`, streamId)
  }

  #mustHaveBeen(frame: string, streamId: number): void {
    if (streamId % 2 === 1 && streamId <= this.#lastStreamId) return
    if (this.#isDraining) return
    throw new ProtocolError('PROTOCOL_ERROR', `${frame} on stream ${streamId}, which was never opened`)
  }

  #close(stream: Http2Stream): void {
    if (!this.#streams.delete(stream.id)) return
    this.#options.share.add(-CALL_BYTES)
    if (!stream.remoteClosed) this.#abandon(stream.id)
    stream.close()
    this.#runWaiting()
    if (this.#isDraining && this.#streams.size === 0) this.#options.onDrained()
  }

  #abandon(streamId: number): void {
    this.#abandoned.add(streamId)
    if (this.#abandoned.size <= ABANDONED_MAX) return
    for (const oldest of this.#abandoned) {
      this.#abandoned.delete(oldest)
      return
    }
  }
}
