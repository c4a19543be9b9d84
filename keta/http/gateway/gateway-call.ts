/**
 * An HTTP request as the methods see a call: who calls, with which metadata, until when. The metadata are
 * grpc-gateway's: `Grpc-Metadata-X` is x, `Authorization` is itself.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { type Call, RpcError, STATUS } from '../../transport/transport.ts'

const PREFIX = 'grpc-metadata-'
const PRINTABLE = /^[\x20-\x7e]*$/
const TIMEOUT = /^([-+]?[0-9]+)([HMSmun])$/
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }
/** Longer timers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class GatewayCall implements Call {
  readonly peer: string
  readonly #headers: IncomingMessage['headers']
  readonly #response: ServerResponse
  #waits = false

  constructor(request: IncomingMessage, response: ServerResponse) {
    const { remoteAddress = '', remotePort = 0 } = request.socket
    this.peer = `${remoteAddress}:${remotePort}`
    this.#headers = request.headers
    this.#response = response
  }

  metadata(name: string): string | undefined {
    const { authorization } = this.#headers
    if (name === 'authorization' && authorization !== undefined) return authorization
    const value = this.#headers[PREFIX + name]
    const text = Array.isArray(value) ? value[0] : value
    return text !== undefined && PRINTABLE.test(text) ? text : undefined
  }

  /** For a method that waits for something that may never come: calls back when the call is over, whoever ended it. */
  onClosed(listener: () => void): void {
    this.#waits = true
    this.#whenClosed(listener)
  }

  /** Whether the method waits for something that may never come. */
  get waits(): boolean {
    return this.#waits
  }

  /**
   * Calls back when the time that the client gives has passed.
   * @throws RpcError INVALID_ARGUMENT if it does not say what time
   */
  onDeadline(passed: (error: RpcError) => void): void {
    const header = this.#headers['grpc-timeout']
    const text = Array.isArray(header) ? header[0] : header
    if (text === undefined || text === '') return
    const [, count, unit = ''] = TIMEOUT.exec(text) ?? []
    const unitMs = UNIT_MS[unit]
    if (count === undefined || unitMs === undefined) {
      throw new RpcError(STATUS.INVALID_ARGUMENT, `invalid grpc-timeout: ${text}`)
    }
    const delay = Math.min(Math.max(Number(count) * unitMs, 0), LONGEST_TIMER_MS)
    // No time at all means no limit, as a Go duration of 0.
    if (delay === 0) return
    const expired = (): void => passed(new RpcError(STATUS.DEADLINE_EXCEEDED, 'context deadline exceeded'))
    if (delay < 1) {
      queueMicrotask(expired)
      return
    }
    const timer = setTimeout(expired, delay)
    this.#whenClosed(() => clearTimeout(timer))
  }

  #whenClosed(listener: () => void): void {
    if (this.#response.destroyed) queueMicrotask(listener)
    else this.#response.once('close', listener)
  }
}
