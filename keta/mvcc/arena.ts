/**
 * The memory of the encoded versions. Bytes live in large chunks, so that a version costs no Buffer of its own: it
 * knows its chunk, offset and length.
 *
 * A chunk is only ever appended to. What was written stays as it is, so views given out stay valid: a chunk that is
 * dropped here lives on, as garbage-collected memory does, until the last view of it is gone.
 */
import type { Place } from './place.ts'

const FIRST_CHUNK_BYTES = 64 * 1024
const MAX_CHUNK_BYTES = 1024 * 1024

/** What does not fit and needs more than this share of a new chunk gets a chunk of its own size. */
const OWN_CHUNK_SHARE = 1 / 4

/**
 * Below this share of living bytes a chunk is worth emptying. Not above 1 − OWN_CHUNK_SHARE: so much may be lost at the
 * end of a chunk whose every byte is alive, and moving those would gain nothing.
 */
const SPARSE_SHARE = 3 / 4

export class Chunk implements Place {
  readonly bytes: Buffer
  /** Position in the order in which chunks were made. */
  readonly serial: number
  /** Bytes written. */
  used: number
  /** Bytes of versions that still exist. */
  live = 0

  constructor(bytes: Buffer, serial: number, used: number) {
    this.bytes = bytes
    this.serial = serial
    this.used = used
  }

  view(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(offset, offset + length)
  }
}

export class Arena {
  readonly #maxChunkBytes: number
  readonly #firstChunkBytes: number
  #serial = 0
  #allocatedBytes = 0
  #liveBytes = 0
  #open: Chunk

  /** @param maxChunkBytes size of a full-grown chunk. */
  constructor(maxChunkBytes = MAX_CHUNK_BYTES) {
    this.#maxChunkBytes = maxChunkBytes
    this.#firstChunkBytes = Math.min(FIRST_CHUNK_BYTES, maxChunkBytes)
    this.#open = this.#newChunk(this.#firstChunkBytes)
  }

  /** Bytes of all chunks that are in use. Never 0. */
  get allocatedBytes(): number {
    return this.#allocatedBytes
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  /** The serial that the next chunk will get. */
  get nextSerial(): number {
    return this.#serial
  }

  /** Makes room for `length` bytes: they are the last `length` bytes before `used` of the chunk returned. */
  allocate(length: number): Chunk {
    const chunk = this.#chunkFor(length)
    chunk.used += length
    this.claim(chunk, length)
    return chunk
  }

  /** Takes over a chunk that was written elsewhere; its versions are then claimed one by one. */
  adopt(bytes: Buffer): Chunk {
    this.#allocatedBytes += bytes.length
    return new Chunk(bytes, this.#serial++, bytes.length)
  }

  /** A version of `length` bytes lies in `chunk` from now on. */
  claim(chunk: Chunk, length: number): void {
    chunk.live += length
    this.#liveBytes += length
  }

  /** A version of `length` bytes in `chunk` is gone. */
  release(chunk: Chunk, length: number): void {
    chunk.live -= length
    this.#liveBytes -= length
    if (chunk.live < 0) throw new Error(`released ${length} bytes of a chunk that held ${chunk.live + length}`)
    if (chunk.live === 0 && chunk !== this.#open) this.#allocatedBytes -= chunk.bytes.length
  }

  /** True if moving the living bytes elsewhere frees noticeably more than it takes. */
  isSparse(chunk: Chunk): boolean {
    return chunk !== this.#open && chunk.live < chunk.bytes.length * SPARSE_SHARE
  }

  /** Opens a new chunk if much of what was written to the present one is dead. */
  retireSparseOpenChunk(): void {
    if (this.#open.live < this.#open.used * SPARSE_SHARE) this.#openNext()
  }

  #chunkFor(length: number): Chunk {
    const open = this.#open
    if (length <= open.bytes.length - open.used) return open
    if (length > this.#nextSize() * OWN_CHUNK_SHARE) return this.#newChunk(length)
    return this.#openNext()
  }

  #openNext(): Chunk {
    const full = this.#open
    this.#open = this.#newChunk(this.#nextSize())
    if (full.live === 0) this.#allocatedBytes -= full.bytes.length
    return this.#open
  }

  /** As much as there is already: a small store stays small, a large one has few chunks. */
  #nextSize(): number {
    return Math.min(this.#maxChunkBytes, Math.max(this.#firstChunkBytes, this.#allocatedBytes))
  }

  #newChunk(size: number): Chunk {
    this.#allocatedBytes += size
    // Not from Node's shared pool: a chunk must not keep other buffers' memory alive.
    return new Chunk(Buffer.allocUnsafeSlow(size), this.#serial++, 0)
  }
}
