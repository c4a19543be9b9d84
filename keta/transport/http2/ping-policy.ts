/** How often a client may ask whether the server lives, by the rules of grpc-go with etcd's settings. */
import { ProtocolError } from './protocol-error.ts'

const STRIKES_MAX = 2
/** Without a call the connection need not be kept alive: grpc-go's interval for that case. */
const IDLE_MIN_MS = 7_200_000

export class PingPolicy {
  readonly #minMs: number
  readonly #now: () => number
  #last = Number.NEGATIVE_INFINITY
  #strikes = 0

  constructor(minMs: number, now: () => number) {
    this.#minMs = minMs
    this.#now = now
  }

  /** @throws ProtocolError ENHANCE_YOUR_CALM with the text that clients know. */
  ping(hasCalls: boolean): void {
    const now = this.#now()
    if (now < this.#last + (hasCalls ? this.#minMs : IDLE_MIN_MS)) this.#strikes++
    this.#last = now
    if (this.#strikes > STRIKES_MAX) throw new ProtocolError('ENHANCE_YOUR_CALM', 'too_many_pings')
  }

  /** The client was sent headers or data. */
  answered(): void {
    this.#strikes = 0
    this.#last = Number.NEGATIVE_INFINITY
  }
}
