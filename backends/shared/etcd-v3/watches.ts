/** Watches: all of a client's share one stream, which is opened with the first and given up with the last. */
import { status as Code } from '@grpc/grpc-js'
import type { IEvent, IWatchRequest, IWatchResponse } from 'etcd3'
import { CoordinationError, type PluginContext } from '../../../spi/index.ts'
import { CompactedError } from '../follow-by-revision.ts'
import type { Cluster, ServerStream } from './cluster.ts'
import type { KeyRange } from './layout.ts'
import { meaningOf, wantsNewToken } from './rpc-status.ts'

export interface WatchSettings {
  readonly clock: PluginContext['clock']
  /** How often the server must show that it is there; also how long opening may take. Milliseconds. */
  readonly heartbeatMs: number
}

export interface WatchSink {
  /** All events of one revision. */
  events(events: readonly IEvent[], revision: bigint): void
  /** There are no more events up to and including that revision. */
  progress(revision: bigint): void
}

interface Watcher {
  readonly id: string
  readonly sink: WatchSink
  readonly fail: (error: Error) => void
  /** Of a response that comes in several parts. */
  parts: IEvent[]
}

export class Watches {
  readonly #cluster: Cluster
  readonly #settings: WatchSettings
  #stream: WatchStream | undefined

  constructor(cluster: Cluster, settings: WatchSettings) {
    this.#cluster = cluster
    this.#settings = settings
  }

  /**
   * Tells of all changes in the range from that revision on, until the signal aborts or the watch breaks off.
   * @throws CompactedError if the store has forgotten that revision; CoordinationError
   */
  watch(range: KeyRange, from: bigint, sink: WatchSink, signal: AbortSignal): Promise<never> {
    if (this.#stream === undefined || this.#stream.over) {
      this.#stream = new WatchStream(this.#cluster, this.#settings)
    }
    return this.#stream.watch(range, from, sink, signal)
  }

  close(): void {
    this.#stream?.close()
  }
}

class WatchStream {
  over = false
  readonly #cluster: Cluster
  readonly #settings: WatchSettings
  readonly #closing = new AbortController()
  readonly #watchers = new Map<string, Watcher>()
  /** Requested, in their order; the server answers in the same. */
  readonly #requested: Watcher[] = []
  /** What was wished before the stream was there. */
  #waiting: IWatchRequest[] = []
  #server: ServerStream<IWatchRequest, IWatchResponse> | undefined
  #lastId = 0
  #heard = false
  #heartbeat: Disposable | undefined

  constructor(cluster: Cluster, settings: WatchSettings) {
    this.#cluster = cluster
    this.#settings = settings
    this.#open().catch((error: unknown) => this.#end(error as Error))
  }

  watch(range: KeyRange, from: bigint, sink: WatchSink, signal: AbortSignal): Promise<never> {
    return new Promise<never>((_, reject) => {
      this.#lastId++
      const id = String(this.#lastId)
      const onAbort = () => {
        this.#remove(id)
        this.#send({ cancel_request: { watch_id: id } })
        reject(signal.reason as Error)
        if (this.#watchers.size === 0) this.close()
      }
      const fail = (error: Error) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      }
      const watcher = { id, sink, fail, parts: [] }
      this.#watchers.set(id, watcher)
      this.#requested.push(watcher)
      signal.addEventListener('abort', onAbort, { once: true })
      const create = { ...range, start_revision: from.toString(), watch_id: id, progress_notify: true, fragment: true }
      this.#send({ create_request: create })
      if (signal.aborted) onAbort()
    })
  }

  close(): void {
    const { backend } = this.#cluster
    this.#end(new CoordinationError('CLOSED', `the ${backend} client is closed`, { backend }))
  }

  async #open(): Promise<void> {
    const call = { signal: this.#closing.signal, timeoutMs: this.#settings.heartbeatMs }
    const server = await this.#cluster.stream<IWatchRequest, IWatchResponse>(call, (etcd, options) =>
      etcd.watchClient.watch(options),
    )
    server.stream.on('data', (response) => this.#received(response))
    server.stream.on('error', (error) => {
      server.leave()
      this.#end(server.errorOf(error))
    })
    server.stream.on('end', () => this.#end(this.#broken('the watch ended')))
    if (this.over) {
      server.stream.cancel()
      return
    }
    this.#server = server
    for (const request of this.#waiting) server.stream.write(request)
    this.#waiting = []
    this.#beat()
  }

  #send(request: IWatchRequest): void {
    if (this.over) return
    if (this.#server === undefined) this.#waiting.push(request)
    else this.#server.stream.write(request)
  }

  /**
   * A connection that swallows everything looks like one on which nothing happens: so the server is asked. Not with a
   * progress request: etcd leaves that one unanswered while a watch of the stream is behind, or ahead.
   */
  #beat(): void {
    const { clock, heartbeatMs } = this.#settings
    this.#heard = false
    this.#heartbeat = clock.setTimeout(() => {
      if (this.#heard) this.#beat()
      else this.#ask().catch((error: unknown) => this.#end(error as Error))
    }, heartbeatMs)
  }

  async #ask(): Promise<void> {
    const { heartbeatMs } = this.#settings
    const isThere = await this.#server?.ping({ signal: this.#closing.signal, timeoutMs: heartbeatMs })
    if (this.over) return
    if (isThere === true || this.#heard) {
      this.#beat()
      return
    }
    this.#server?.leave()
    this.#end(this.#broken(`the server was silent for ${heartbeatMs} ms`))
  }

  #received(response: IWatchResponse): void {
    this.#heard = true
    // one that was refused at once may have no id
    const first = response.created ? this.#requested.shift() : undefined
    const watcher = first ?? this.#watchers.get(response.watch_id)
    if (watcher === undefined || !this.#watchers.has(watcher.id)) return
    if (response.canceled) this.#cancelled(watcher, response)
    else if (!response.created) tell(watcher, response)
  }

  #cancelled(watcher: Watcher, { compact_revision, cancel_reason }: IWatchResponse): void {
    if (compact_revision !== '0') {
      this.#remove(watcher.id)
      watcher.fail(new CompactedError(`the store has forgotten what was before revision ${compact_revision}`))
      return
    }
    const status = { code: Code.UNKNOWN, details: cancel_reason }
    if (wantsNewToken(status)) {
      this.#cluster.forgetToken()
      this.#end(this.#broken(cancel_reason))
      return
    }
    this.#remove(watcher.id)
    const { backend } = this.#cluster
    watcher.fail(
      new CoordinationError(meaningOf(status).code, `${backend}: watch refused: ${cancel_reason}`, { backend }),
    )
  }

  #remove(id: string): void {
    this.#watchers.delete(id)
  }

  #end(error: Error): void {
    if (this.over) return
    this.over = true
    this.#closing.abort()
    this.#heartbeat?.[Symbol.dispose]()
    this.#server?.stream.cancel()
    for (const { fail } of this.#watchers.values()) fail(error)
    this.#watchers.clear()
  }

  #broken(why: string): CoordinationError {
    const { backend } = this.#cluster
    return new CoordinationError('CONNECTION', `${backend}: ${why}`, { backend })
  }
}

function tell(watcher: Watcher, { events, fragment, header }: IWatchResponse): void {
  watcher.parts.push(...events)
  if (fragment) return
  const whole = watcher.parts
  watcher.parts = []
  if (whole.length === 0) watcher.sink.progress(BigInt(header.revision))
  let begin = 0
  while (begin < whole.length) {
    const revision = whole[begin]?.kv.mod_revision ?? '0'
    let end = begin + 1
    while (whole[end]?.kv.mod_revision === revision) end++
    watcher.sink.events(whole.slice(begin, end), BigInt(revision))
    begin = end
  }
}
