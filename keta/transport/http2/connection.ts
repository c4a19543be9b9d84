/** One HTTP/2 connection: its socket, its beginning and its end. */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { FrameParser } from './frame-parser.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FRAME, LARGEST_STREAM_ID } from './frames.ts'
import { Keepalive } from './keepalive.ts'
import type { Http2Limits } from './limits.ts'
import type { Memory, Share } from './memory.ts'
import { Output } from './output.ts'
import { ERROR_CODE, type ErrorCodeName, ProtocolError } from './protocol-error.ts'
import { type Accept, Streams } from './streams.ts'

/** What a client gets to take the last words before the connection is cut. */
const LAST_WORDS_MS = 1_000
/** What may be on its way to the client before nothing more is read that asks for answers. */
const UNSENT_BYTES_MAX = 1024 * 1024

const SHUTDOWN_PING = Buffer.from('shutdown', 'latin1')
const KEEPALIVE_PING = Buffer.from('is alive', 'latin1')

export interface ConnectionOptions {
  readonly limits: Http2Limits
  readonly memory: Memory
  readonly accept: Accept
  /** The connection is gone, and so are its streams. */
  readonly onClosed: () => void
  /** Told of what must not happen. */
  readonly onDefect: (error: unknown) => void
}

export class Http2Connection implements FrameSink {
  readonly streams: Streams
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #share: Share
  readonly #output: Output
  readonly #reader = new FrameReader(this)
  readonly #parser: FrameParser
  readonly #keepalive: Keepalive
  readonly #handshake: NodeJS.Timeout
  #flushScheduled = false
  /**
   * announced: the client has been told that the connection will end. draining: no new streams. ending: GOAWAY has been
   * sent, and what comes is not looked at.
   */
  #state: 'open' | 'announced' | 'draining' | 'ending' | 'closed' = 'open'
  #drainTimer: NodeJS.Timeout | undefined

  /** Takes over a socket of which nothing has been consumed. */
  constructor(socket: Socket, options: ConnectionOptions) {
    const { limits, accept, memory } = options
    this.#socket = socket
    this.#options = options
    this.#share = memory.share(() => this.#evict())
    this.#output = new Output(socket, this.#share, () => this.#scheduleFlush())
    this.streams = new Streams({
      limits,
      accept,
      output: this.#output,
      share: this.#share,
      onSettings: () => clearTimeout(this.#handshake),
      onPingAck: (bytes, start) => this.#onPingAck(bytes, start),
      onExhausted: () => this.shutdown(),
      onDrained: () => this.#end(),
    })
    this.#parser = new FrameParser(this.streams, limits)
    this.#handshake = setTimeout(() => {
      this.#fail(new ProtocolError('SETTINGS_TIMEOUT', 'no SETTINGS'))
    }, limits.settingsMs).unref()
    this.#keepalive = new Keepalive({
      afterMs: limits.keepaliveMs,
      timeoutMs: limits.keepaliveTimeoutMs,
      now: () => performance.now(),
      ping: () => this.#output.frame(FRAME.PING, 0, 0, KEEPALIVE_PING),
      onDead: () => socket.destroy(),
    })
    this.streams.greet()
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#onDrain())
    socket.on('error', () => undefined)
    socket.once('end', () => this.#onClose())
    socket.once('close', () => this.#onClose())
    socket.resume()
  }

  /**
   * Ends the connection when its streams have ended. In two steps, so that no call on its way is lost: the first says
   * that it will be so, and the second, when the client has heard it, which streams are served.
   */
  shutdown(): void {
    if (this.#state !== 'open') return
    this.#state = 'announced'
    this.#sendGoAway(LARGEST_STREAM_ID, 'NO_ERROR', '')
    this.#output.frame(FRAME.PING, 0, 0, SHUTDOWN_PING)
    this.#drainTimer = setTimeout(() => this.#drain(), LAST_WORDS_MS).unref()
  }

  /** Ends it now; what can still be sent is. */
  destroy(): void {
    this.#output.flush()
    this.#socket.destroy()
    this.#onClose()
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (this.#state === 'ending' || this.#state === 'closed') return
    try {
      this.#parser.frame(type, flags, streamId, bytes, start, end)
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.streamId === 0) throw error
      this.streams.failStream(error)
    }
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'ending' || this.#state === 'closed') return
    this.#keepalive.heard()
    try {
      this.#reader.push(chunk)
    } catch (error) {
      this.#fail(error)
    }
    if (this.#socket.writableLength + this.#output.pending > UNSENT_BYTES_MAX) this.#socket.pause()
  }

  #onDrain(): void {
    this.#output.unblocked()
    try {
      this.streams.resume()
    } catch (error) {
      this.#fail(error)
    }
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  #onPingAck(bytes: Buffer, start: number): void {
    if (this.#state === 'announced' && SHUTDOWN_PING.equals(bytes.subarray(start, start + 8))) this.#drain()
  }

  #fail(error: unknown): void {
    if (this.#state === 'ending' || this.#state === 'closed') return
    const known = error instanceof ProtocolError
    if (!known) this.#options.onDefect(error)
    this.#sendGoAway(this.streams.lastStreamId, known ? error.code : 'INTERNAL_ERROR', known ? error.message : '')
    this.#end()
  }

  /** Everybody together holds too much, and this connection most of it. */
  #evict(): void {
    this.#fail(new ProtocolError('ENHANCE_YOUR_CALM', 'the server is short of memory'))
    // Whoever takes nothing does not take last words either.
    if (this.#socket.writableNeedDrain) this.#socket.destroy()
  }

  #sendGoAway(lastStreamId: number, code: ErrorCodeName, text: string): void {
    const payload = Buffer.alloc(8 + Buffer.byteLength(text))
    payload.writeUInt32BE(lastStreamId, 0)
    payload.writeUInt32BE(ERROR_CODE[code], 4)
    payload.write(text, 8)
    this.#output.frame(FRAME.GOAWAY, 0, 0, payload)
  }

  #drain(): void {
    clearTimeout(this.#drainTimer)
    if (this.#state !== 'announced') return
    this.#state = 'draining'
    this.#sendGoAway(this.streams.lastStreamId, 'NO_ERROR', '')
    this.streams.drain()
  }

  /** Nothing is read any more. What is to be sent still is, and what comes is thrown away until the client has it. */
  #end(): void {
    if (this.#state === 'ending' || this.#state === 'closed') return
    this.#state = 'ending'
    this.#stop()
    this.#output.flush()
    this.#socket.end()
    this.#socket.resume()
    setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS).unref()
  }

  #onClose(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stop()
    this.#output.flush()
    this.#socket.destroySoon()
    this.#options.onClosed()
  }

  #stop(): void {
    clearTimeout(this.#handshake)
    clearTimeout(this.#drainTimer)
    this.#keepalive.stop()
    this.streams.closeAll()
    this.#share.end()
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#state === 'closed') return
    this.#flushScheduled = true
    setImmediate(() => {
      this.#flushScheduled = false
      this.streams.endLingering()
      this.#output.flush()
    })
  }
}
