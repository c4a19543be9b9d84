/** Cuts the body of a request into gRPC's messages, however it arrives. */
import { RpcError, STATUS } from '../transport.ts'
import { MESSAGE_HEAD_BYTES } from './output.ts'
import type { Http2Stream } from './stream.ts'
import { checkFlag, unpack } from './unpack.ts'

const NOTHING = Buffer.alloc(0)
const FIRST_BYTES = 512

export class MessageReader {
  readonly #stream: Pick<Http2Stream, 'consumed' | 'expect' | 'settled'>
  readonly #maxBytes: number
  /** Value of grpc-encoding, one that `isKnownEncoding`. */
  readonly #encoding: string | undefined
  #bytes: Buffer = NOTHING
  #at = 0
  #end = 0
  /** `#bytes` belongs to somebody else, who will use it again. */
  #isLent = false
  #expecting = false

  constructor(
    stream: Pick<Http2Stream, 'consumed' | 'expect' | 'settled'>,
    maxBytes: number,
    encoding: string | undefined,
  ) {
    this.#stream = stream
    this.#maxBytes = maxBytes
    this.#encoding = encoding
  }

  get isEmpty(): boolean {
    return this.#at === this.#end
  }

  /** A message has begun, and what has come says how long it is. */
  get isWithinMessage(): boolean {
    return this.#end - this.#at >= MESSAGE_HEAD_BYTES
  }

  /** Takes what has come. It is lent until `keep` or `discard`. */
  push(bytes: Buffer, start: number, end: number): void {
    if (this.isEmpty) {
      this.#bytes = bytes
      this.#at = start
      this.#end = end
      this.#isLent = true
    } else {
      this.#own(end - start)
      this.#end += bytes.copy(this.#bytes, this.#end, start, end)
    }
  }

  /**
   * The next message, which may lie in what was pushed; undefined: it has not come yet.
   * @throws RpcError with grpc-go's text
   */
  next(): Buffer | undefined {
    const available = this.#end - this.#at
    if (available < MESSAGE_HEAD_BYTES) return undefined
    const flag = this.#bytes[this.#at] ?? 0
    const length = this.#bytes.readUInt32BE(this.#at + 1)
    this.#check(flag, length)
    const whole = MESSAGE_HEAD_BYTES + length
    if (available < whole) {
      if (!this.#expecting) this.#stream.expect(whole - available)
      this.#expecting = true
      return undefined
    }
    const message = this.#bytes.subarray(this.#at + MESSAGE_HEAD_BYTES, this.#at + whole)
    this.#at += whole
    this.#stream.consumed(whole)
    if (this.#expecting) this.#stream.settled()
    this.#expecting = false
    return flag === 0 ? message : unpack(message, this.#maxBytes)
  }

  /** Copies what is lent. */
  keep(): void {
    if (this.isEmpty) this.#forget()
    else if (this.#isLent) this.#own(0)
  }

  /** Nothing more is wanted. */
  discard(): void {
    this.#stream.consumed(this.#end - this.#at)
    this.#forget()
  }

  #forget(): void {
    this.#bytes = NOTHING
    this.#at = 0
    this.#end = 0
    this.#isLent = false
  }

  /** Makes the bytes its own, with room for more. What has been handed out of them is not written again. */
  #own(more: number): void {
    const held = this.#end - this.#at
    if (!this.#isLent && this.#end + more <= this.#bytes.length) return
    // No more than what has come, nearly: a client can say anything about how much there will be.
    const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, more === 0 ? held : 2 * (held + more)))
    this.#bytes.copy(grown, 0, this.#at, this.#end)
    this.#bytes = grown
    this.#at = 0
    this.#end = held
    this.#isLent = false
  }

  #check(flag: number, length: number): void {
    checkFlag(flag, this.#encoding)
    if (length <= this.#maxBytes) return
    const text = `grpc: received message larger than max (${length} vs. ${this.#maxBytes})`
    throw new RpcError(STATUS.RESOURCE_EXHAUSTED, text)
  }
}
