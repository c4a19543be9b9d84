/** One direction of a proxied connection: a queue from one socket to the other, which may be held back or delayed. */
import type { Socket } from 'node:net'
import { machineNow } from './machine-time.ts'

export interface CarrierRules {
  isBlocked(): boolean
  /** Of the next piece. Milliseconds. */
  delayMs(): number
  /** May reset the connection. */
  pieceArrived(): void
  /** Resets both ends. */
  reset(): void
}

/** How much is held before the sender is no longer read from. */
const ROOM_BYTES = 256 * 1024

type Piece =
  | { readonly is: 'bytes'; readonly bytes: Uint8Array; readonly dueAt: number }
  | { readonly is: 'end'; readonly dueAt: number }
  | { readonly is: 'reset'; readonly dueAt: number }

export class Carrier {
  readonly #rules: CarrierRules
  #queue: Piece[] = []
  #queuedBytes = 0
  #lastDueAt = 0
  #source: Socket | undefined
  #sink: Socket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #sinkIsFull = false
  #stopped = false

  constructor(rules: CarrierRules) {
    this.#rules = rules
  }

  from(source: Socket): void {
    this.#source = source
    let hasEnded = false
    source.on('data', (bytes: Uint8Array) => {
      this.#rules.pieceArrived()
      this.#add({ is: 'bytes', bytes, dueAt: this.#dueAt() })
    })
    source.once('end', () => {
      hasEnded = true
      this.#add({ is: 'end', dueAt: this.#dueAt() })
    })
    // 'close' follows and says what is to be passed on
    source.on('error', () => undefined)
    source.once('close', (hadError: boolean) => {
      if (hadError || !hasEnded) this.#add({ is: 'reset', dueAt: this.#dueAt() })
    })
    this.#read()
  }

  to(sink: Socket): void {
    this.#sink = sink
    sink.on('drain', () => {
      this.#sinkIsFull = false
      this.pump()
    })
    sink.on('error', () => undefined)
    this.pump()
  }

  /** Passes on what may be passed on now. */
  pump(): void {
    clearTimeout(this.#timer)
    const sink = this.#sink
    while (!this.#stopped && sink !== undefined && !this.#sinkIsFull && !this.#rules.isBlocked()) {
      const [piece] = this.#queue
      if (piece === undefined) break
      const wait = piece.dueAt - machineNow()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait)
        break
      }
      this.#queue.shift()
      this.#pass(piece, sink)
    }
    this.#read()
  }

  /** Drops everything. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#queue = []
    this.#queuedBytes = 0
  }

  #pass(piece: Piece, sink: Socket): void {
    if (piece.is === 'reset') {
      this.#rules.reset()
    } else if (piece.is === 'end') {
      sink.end()
    } else {
      this.#queuedBytes -= piece.bytes.length
      if (!sink.writable) return
      this.#sinkIsFull = !sink.write(piece.bytes)
    }
  }

  #add(piece: Piece): void {
    if (this.#stopped) return
    this.#queue.push(piece)
    if (piece.is === 'bytes') this.#queuedBytes += piece.bytes.length
    this.pump()
  }

  #read(): void {
    if (this.#stopped || this.#source === undefined) return
    if (this.#queuedBytes < ROOM_BYTES) this.#source.resume()
    else this.#source.pause()
  }

  /** Never before the piece ahead of it. */
  #dueAt(): number {
    this.#lastDueAt = Math.max(this.#lastDueAt, machineNow() + this.#rules.delayMs())
    return this.#lastDueAt
  }
}
