/** One node's link to another: requests and their answers, over connections that come and go. */
import { PeerError, type PeerLink, type PeerRequest, type PeerResponse } from '../cluster/peers.ts'
import type { Clock, Timer } from './clock.ts'
import type { Address, Connection, Network } from './connection.ts'
import { Inbox } from './inbox.ts'
import { type LinkObserver, NO_LINK_OBSERVER } from './link-observer.ts'
import { decodeResponse, encodeRequest } from './messages.ts'
import { Outbox } from './outbox.ts'
import { RoundTrips } from './round-trips.ts'

export interface LinkPorts {
  readonly network: Network
  readonly clock: Clock
  /** Without it nothing is measured. */
  readonly observer?: LinkObserver
}

/** From the first packet to the greeting. A node that takes longer would be of no use to who waits for it. */
const CONNECT_MS = 3_000
/** A living host takes or refuses a connection at once; one that does neither says nothing about its process. */
const PROBE_MS = 500
/**
 * Short, because a process that is killed may close its connections before the socket that it listens on: then only
 * the second attempt finds out.
 */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 1_000

interface Waiting {
  readonly timer: Timer
  readonly resolve: (response: PeerResponse) => void
  readonly reject: (error: PeerError) => void
  /** Somebody will miss the answer. */
  readonly counts: boolean
}

/**
 * Connecting (now), open, resting (between two attempts) or closed. Requests made while connecting wait for the
 * outcome; while resting they are refused at once, so that who asks can ask elsewhere.
 */
export class Link implements PeerLink {
  readonly #urls: readonly string[]
  readonly #onGone: () => void
  readonly #network: Network
  readonly #clock: Clock
  readonly #observer: LinkObserver
  readonly #roundTrips: RoundTrips | undefined
  readonly #waiting = new Map<number, Waiting>()
  readonly #outbox = new Outbox()
  #inbox = new Inbox(Number.POSITIVE_INFINITY)
  #lastId = 0
  #state: 'connecting' | 'open' | 'resting' | 'closed' = 'connecting'
  #connection: Connection | undefined
  #writable = false
  #flushing = false
  /** Limit of the attempt, or end of the rest. */
  #timer: Timer | undefined
  #probe: { cancel(): void } | undefined
  #probeLimit: Timer | undefined
  /** Where the established connection led that ended last, while it is not known whether its process lives. */
  #lost: Address | undefined
  /** Attempts that failed since a connection was established. */
  #failures = 0
  #url = 0
  #lastFailure: Error | undefined

  constructor(urls: readonly string[], onGone: () => void, { network, clock, observer }: LinkPorts) {
    if (urls.length === 0) throw new RangeError('a link needs at least one URL')
    this.#urls = urls
    this.#onGone = onGone
    this.#network = network
    this.#clock = clock
    this.#observer = observer ?? NO_LINK_OBSERVER
    this.#roundTrips =
      observer &&
      new RoundTrips({
        clock,
        ping: (timeoutMs) => this.request({ kind: 'ping' }, timeoutMs),
        measured: (tookMs) => observer.roundTrip(tookMs),
      })
    this.#attempt()
  }

  request(request: PeerRequest, timeoutMs: number): Promise<PeerResponse> {
    if (this.#state === 'closed') return Promise.reject(new PeerError('the link is closed', false))
    const counts = request.kind !== 'ping'
    if (this.#state === 'resting') {
      if (counts) this.#observer.failed()
      return Promise.reject(this.#error('not connected', false, this.#lastFailure))
    }
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(timeoutMs, () => {
        this.#reject(id, `no answer within ${timeoutMs} ms`)
      })
      this.#waiting.set(id, { timer, resolve, reject, counts })
      this.#outbox.put(id, encodeRequest(request))
      this.#flushSoon()
    })
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#disconnect('the link was closed')
    this.#state = 'closed'
  }

  /** First the address of the lost connection, if there is one: does it refuse, or is there somebody? */
  #attempt(): void {
    this.#state = 'connecting'
    this.#timer = this.#clock.setTimer(CONNECT_MS, () => {
      this.#ended(new Error(`no greeting within ${CONNECT_MS} ms`))
    })
    const lost = this.#lost
    if (lost === undefined) {
      this.#dial()
      return
    }
    this.#probeLimit = this.#clock.setTimer(PROBE_MS, () => this.#probed(false))
    this.#probe = this.#network.probe(lost, (refused) => this.#probed(refused))
  }

  #probed(refused: boolean): void {
    this.#endProbe()
    if (!refused) {
      this.#dial()
      return
    }
    this.#lost = undefined
    this.#ended(new Error('the connection was refused'))
    this.#onGone()
  }

  #endProbe(): void {
    this.#probe?.cancel()
    this.#probeLimit?.cancel()
    this.#probe = undefined
    this.#probeLimit = undefined
  }

  #dial(): void {
    try {
      this.#connection = this.#network.dial(this.#currentUrl(), {
        opened: (address) => this.#opened(address),
        message: (bytes) => this.#message(bytes),
        drained: () => {
          this.#writable = true
          this.#flush()
        },
        ended: (cause) => this.#ended(cause),
      })
    } catch (error) {
      this.#ended(new Error('not an address', { cause: error }))
    }
  }

  #opened(address: Address): void {
    this.#timer?.cancel()
    this.#state = 'open'
    this.#failures = 0
    this.#lost = address
    this.#writable = true
    this.#observer.connected()
    this.#roundTrips?.start()
    this.#flush()
  }

  #ended(cause: Error): void {
    const wasOpen = this.#state === 'open'
    this.#disconnect('the connection ended', cause)
    if (wasOpen) {
      this.#attempt()
      return
    }
    this.#state = 'resting'
    this.#lastFailure = cause
    this.#url++
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS)
    this.#timer = this.#clock.setTimer(pauseMs, () => this.#attempt())
  }

  /** Ends whatever is under way, and tells everybody who waits. */
  #disconnect(reason: string, cause?: Error): void {
    if (this.#state === 'open') {
      this.#observer.disconnected()
      this.#roundTrips?.stop()
    }
    this.#timer?.cancel()
    this.#endProbe()
    this.#connection?.close()
    this.#connection = undefined
    this.#writable = false
    for (const id of this.#waiting.keys()) this.#reject(id, reason, cause)
    this.#outbox.clear()
    this.#inbox = new Inbox(Number.POSITIVE_INFINITY)
  }

  /** Not at once: all requests of this turn travel together. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#clock.soon(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    while (this.#writable && this.#connection !== undefined) {
      const message = this.#outbox.take()
      if (message === undefined) return
      this.#observer.sent(message.length)
      this.#writable = this.#connection.write(message)
    }
  }

  #message(bytes: Uint8Array): void {
    this.#observer.received(bytes.length)
    try {
      for (const { id, payload } of this.#inbox.take(bytes)) {
        if (payload !== undefined) this.#answer(id, payload)
      }
    } catch (error) {
      this.#ended(new Error('the other side sent what is not an answer', { cause: error }))
    }
  }

  #answer(id: number, payload: Uint8Array): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    const response = decodeResponse(payload)
    if (response.kind === 'failed') {
      this.#reject(id, 'the other side failed')
      return
    }
    this.#waiting.delete(id)
    waiting.timer.cancel()
    waiting.resolve(response)
  }

  #reject(id: number, reason: string, cause?: Error): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    waiting.timer.cancel()
    if (waiting.counts) this.#observer.failed()
    waiting.reject(this.#error(reason, !this.#outbox.withdraw(id), cause))
  }

  #error(reason: string, sent: boolean, cause?: Error): PeerError {
    const text = `${this.#currentUrl()}: ${reason}${cause === undefined ? '' : `: ${cause.message}`}`
    return new PeerError(text, sent, { cause })
  }

  #currentUrl(): string {
    return this.#urls[this.#url % this.#urls.length] ?? ''
  }
}
