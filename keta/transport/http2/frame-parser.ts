/** Reads what is in frames, checks what can be checked without knowing any stream, and joins header blocks. */
import type { FrameSink } from './frame-reader.ts'
import { FLAG, FRAME, LARGEST_FRAME_BYTES, LARGEST_WINDOW, SETTING } from './frames.ts'
import type { Http2Limits } from './limits.ts'
import { type ErrorCodeName, ProtocolError } from './protocol-error.ts'

/** Payloads are lent, as to `FrameSink`. Methods may throw ProtocolErrors. */
export interface FrameHandler {
  /** @param flowBytes what counts for flow control: the padding too. */
  data(streamId: number, bytes: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void
  /** A whole header block. */
  headers(streamId: number, bytes: Buffer, start: number, end: number, flags: HeadersFlags): void
  resetStream(streamId: number): void
  /** One of a SETTINGS frame. */
  setting(id: number, value: number): void
  /** A SETTINGS frame has ended. */
  settingsEnd(): void
  settingsAck(): void
  /** @param bytes eight of them from `start` on. */
  ping(bytes: Buffer, start: number): void
  pingAck(bytes: Buffer, start: number): void
  windowUpdate(streamId: number, increment: number): void
  /** Frames that ask for nothing: a client may send some of them, not any number. */
  idle(): void
}

export interface HeadersFlags {
  readonly endStream: boolean
  /** The request is to come before itself. */
  readonly dependsOnItself: boolean
}

/** Values that a setting must not have, and as what they are refused. */
const REFUSED: Readonly<Record<number, { readonly isRefused: (value: number) => boolean; code: ErrorCodeName }>> = {
  [SETTING.ENABLE_PUSH]: { isRefused: (value) => value > 1, code: 'PROTOCOL_ERROR' },
  [SETTING.INITIAL_WINDOW_SIZE]: { isRefused: (value) => value > LARGEST_WINDOW, code: 'FLOW_CONTROL_ERROR' },
  [SETTING.MAX_FRAME_SIZE]: {
    isRefused: (value) => value < 16_384 || value > LARGEST_FRAME_BYTES,
    code: 'PROTOCOL_ERROR',
  },
}

export class FrameParser implements FrameSink {
  readonly #handler: FrameHandler
  readonly #limits: Pick<Http2Limits, 'headerBytes' | 'continuations'>
  /** A header block that goes on in CONTINUATION frames. */
  #block: HeaderBlock | undefined
  #settingsSeen = false

  constructor(handler: FrameHandler, limits: Pick<Http2Limits, 'headerBytes' | 'continuations'>) {
    this.#handler = handler
    this.#limits = limits
  }

  /** @throws ProtocolError */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (!this.#settingsSeen) {
      if (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0) throw broken('the first frame is not SETTINGS')
      this.#settingsSeen = true
    }
    if (this.#block !== undefined && (type !== FRAME.CONTINUATION || streamId !== this.#block.streamId)) {
      throw broken(`a frame of type ${type} within the headers of stream ${this.#block.streamId}`)
    }
    switch (type) {
      case FRAME.DATA:
        this.#data(flags, streamId, bytes, start, end)
        break
      case FRAME.HEADERS:
        this.#headers(flags, streamId, bytes, start, end)
        break
      case FRAME.CONTINUATION:
        this.#continuation(flags, bytes, start, end)
        break
      case FRAME.WINDOW_UPDATE:
        this.#windowUpdate(streamId, bytes, start, end)
        break
      default:
        this.#rare(type, flags, streamId, bytes, start, end)
    }
  }

  #rare(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FRAME.PRIORITY:
        this.#priority(streamId, bytes, start, end)
        break
      case FRAME.RST_STREAM:
        ofStream('RST_STREAM', streamId)
        sized('RST_STREAM', end - start, 4)
        this.#handler.resetStream(streamId)
        break
      case FRAME.SETTINGS:
        this.#settings(flags, streamId, bytes, start, end)
        break
      case FRAME.PING:
        ofConnection('PING', streamId)
        sized('PING', end - start, 8)
        if ((flags & FLAG.ACK) === 0) this.#handler.ping(bytes, start)
        else this.#handler.pingAck(bytes, start)
        break
      case FRAME.PUSH_PROMISE:
        throw broken('PUSH_PROMISE from a client')
      case FRAME.GOAWAY:
        ofConnection('GOAWAY', streamId)
        if (end - start < 8) throw new ProtocolError('FRAME_SIZE_ERROR', `GOAWAY of ${end - start} bytes`)
        this.#handler.idle()
        break
      default:
        this.#handler.idle()
    }
  }

  #data(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    ofStream('DATA', streamId)
    const endStream = (flags & FLAG.END_STREAM) !== 0
    if ((flags & FLAG.PADDED) === 0) this.#handler.data(streamId, bytes, start, end, end - start, endStream)
    else {
      const padding = paddingOf('DATA', bytes, start, end)
      this.#handler.data(streamId, bytes, start + 1, end - padding, end - start, endStream)
    }
  }

  #headers(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    ofStream('HEADERS', streamId)
    let from = start
    let to = end
    if ((flags & FLAG.PADDED) !== 0) {
      to -= paddingOf('HEADERS', bytes, start, end)
      from++
    }
    let dependsOnItself = false
    if ((flags & FLAG.PRIORITY) !== 0) {
      if (to - from < 5) throw new ProtocolError('FRAME_SIZE_ERROR', 'HEADERS too short for their priority')
      dependsOnItself = dependency(bytes, from) === streamId
      from += 5
    }
    const rest = { endStream: (flags & FLAG.END_STREAM) !== 0, dependsOnItself }
    if ((flags & FLAG.END_HEADERS) !== 0) this.#handler.headers(streamId, bytes, from, to, rest)
    else this.#block = { streamId, flags: rest, parts: [Buffer.from(bytes.subarray(from, to))], bytes: to - from }
  }

  #continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block
    if (block === undefined) throw broken('CONTINUATION without headers before it')
    block.bytes += end - start
    if (block.bytes > this.#limits.headerBytes || block.parts.length > this.#limits.continuations) {
      throw new ProtocolError('ENHANCE_YOUR_CALM', 'headers that go on for too long')
    }
    block.parts.push(Buffer.from(bytes.subarray(start, end)))
    if ((flags & FLAG.END_HEADERS) === 0) return
    this.#block = undefined
    const whole = Buffer.concat(block.parts, block.bytes)
    this.#handler.headers(block.streamId, whole, 0, whole.length, block.flags)
  }

  #windowUpdate(streamId: number, bytes: Buffer, start: number, end: number): void {
    sized('WINDOW_UPDATE', end - start, 4)
    const increment = bytes.readUInt32BE(start) & LARGEST_WINDOW
    if (increment === 0) throw new ProtocolError('PROTOCOL_ERROR', 'WINDOW_UPDATE by nothing', streamId)
    this.#handler.windowUpdate(streamId, increment)
  }

  #priority(streamId: number, bytes: Buffer, start: number, end: number): void {
    ofStream('PRIORITY', streamId)
    if (end - start !== 5) throw new ProtocolError('FRAME_SIZE_ERROR', `PRIORITY of ${end - start} bytes`, streamId)
    if (dependency(bytes, start) === streamId) {
      throw new ProtocolError('PROTOCOL_ERROR', 'a stream that depends on itself', streamId)
    }
    this.#handler.idle()
  }

  #settings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    ofConnection('SETTINGS', streamId)
    if ((flags & FLAG.ACK) !== 0) {
      sized('the acknowledgement of SETTINGS', end - start, 0)
      this.#handler.settingsAck()
      return
    }
    if ((end - start) % 6 !== 0) throw new ProtocolError('FRAME_SIZE_ERROR', `SETTINGS of ${end - start} bytes`)
    for (let at = start; at < end; at += 6) {
      const id = bytes.readUInt16BE(at)
      const value = bytes.readUInt32BE(at + 2)
      const refused = REFUSED[id]
      if (refused?.isRefused(value) === true) throw new ProtocolError(refused.code, `setting ${id} of ${value}`)
      this.#handler.setting(id, value)
    }
    this.#handler.settingsEnd()
  }
}

interface HeaderBlock {
  readonly streamId: number
  readonly flags: HeadersFlags
  readonly parts: Buffer[]
  bytes: number
}

function broken(message: string): ProtocolError {
  return new ProtocolError('PROTOCOL_ERROR', message)
}

function ofStream(name: string, streamId: number): void {
  if (streamId === 0) throw broken(`${name} without a stream`)
}

function ofConnection(name: string, streamId: number): void {
  if (streamId !== 0) throw broken(`${name} on a stream`)
}

function sized(name: string, length: number, expected: number): void {
  if (length !== expected) throw new ProtocolError('FRAME_SIZE_ERROR', `${name} of ${length} bytes`)
}

/** @throws ProtocolError if there is more padding than frame. */
function paddingOf(name: string, bytes: Buffer, start: number, end: number): number {
  if (start === end) throw new ProtocolError('FRAME_SIZE_ERROR', `${name} too short for its padding`)
  const padding = bytes[start] ?? 0
  if (padding > end - start - 1) throw broken(`${name} with more padding than frame`)
  return padding
}

/** Of a priority: the stream that it is to come after. */
function dependency(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff
}
