/** Reads the frames of one segment file in order, a buffer at a time, and checks each: magic, CRCs, offsets. */
import { crc32 } from 'node:zlib'
import type { DiskFile } from './disk.ts'
import { readFully } from './disk.ts'
import { decodeFrameHeader, FRAME_HEADER_BYTES, FRAME_MAGIC, hex32 } from './segment.ts'

/** Measured on 350 MB from the page cache: 1 to 8 MiB make no difference, 64 KiB take twice the time. */
const BUFFER_BYTES = 2 * 1024 * 1024

export interface Frame {
  readonly position: number
  readonly baseOffset: number
  readonly recordCount: number
  /** A view into the scanner's buffer: valid until the next call of `nextFrames`. */
  readonly payload: Buffer
}

/** Why the bytes at `position` are not the next frame. */
export interface Damage {
  readonly position: number
  readonly reason: string
  /** Whether it looks like a write that a crash interrupted, not like bytes that were whole once and changed later. */
  readonly torn: boolean
}

export class SegmentScanner {
  readonly #file: DiskFile
  readonly #seed: number
  readonly #end: number
  #buffer: Buffer
  /** The bytes of the file from `#position` on that are in the buffer are `#buffer[#from..#to)`. */
  #from = 0
  #to = 0
  #position: number
  #offset: number
  #damage: Damage | undefined

  /** Scans from `position`, where the frame of record `offset` begins, to `end`. */
  constructor(file: DiskFile, seed: number, position: number, end: number, offset: number) {
    this.#file = file
    this.#seed = seed
    this.#position = position
    this.#end = end
    this.#offset = offset
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(BUFFER_BYTES, end - position)))
  }

  /** Where the next frame begins. */
  get position(): number {
    return this.#position
  }

  /** Offset of the next frame's first record. */
  get offset(): number {
    return this.#offset
  }

  /** Set when the frame at `position` is not as it should be; nothing more is read then. */
  get damage(): Damage | undefined {
    return this.#damage
  }

  /** The next frames, at least one; none at the end or at damage. */
  async nextFrames(): Promise<readonly Frame[]> {
    while (this.#damage === undefined && this.#position < this.#end) {
      const missing = this.#missingBytes()
      if (missing > 0) {
        await this.#fill(missing)
      }
      const frames = this.#takeFrames()
      if (frames.length > 0) {
        return frames
      }
    }
    return []
  }

  /** How many bytes more than those in the buffer the next frame needs; 0 if it can be judged with what is there. */
  #missingBytes(): number {
    const available = this.#to - this.#from
    const rest = this.#end - this.#position
    if (available < FRAME_HEADER_BYTES) {
      return Math.min(FRAME_HEADER_BYTES, rest) - available
    }
    const header = decodeFrameHeader(this.#buffer.subarray(0, this.#to), this.#from, this.#seed)
    const frameBytes = header === undefined ? 0 : FRAME_HEADER_BYTES + header.payloadBytes
    return Math.max(0, Math.min(frameBytes, rest) - available)
  }

  async #fill(missing: number): Promise<void> {
    const available = this.#to - this.#from
    const needed = available + missing
    const target = needed > this.#buffer.length ? Buffer.allocUnsafeSlow(needed) : this.#buffer
    this.#buffer.copy(target, 0, this.#from, this.#to)
    const wanted = Math.min(target.length, this.#end - this.#position)
    const read = await readFully(this.#file, target.subarray(available, wanted), this.#position + available)
    if (read < missing) {
      throw new Error(`${this.#file.path} ended at ${this.#position + available + read}, was ${this.#end} bytes long`)
    }
    this.#buffer = target
    this.#from = 0
    this.#to = available + read
  }

  #takeFrames(): Frame[] {
    const frames: Frame[] = []
    const bytes = this.#buffer.subarray(0, this.#to)
    while (this.#position < this.#end) {
      const header = decodeFrameHeader(bytes, this.#from, this.#seed)
      const start = this.#from + FRAME_HEADER_BYTES
      if (header === undefined) {
        if (this.#to - this.#from >= FRAME_HEADER_BYTES || this.#positionOfBufferEnd() === this.#end) {
          this.#damage = headerDamage(bytes.subarray(this.#from), this.#position)
        }
        break
      }
      const stop = start + header.payloadBytes
      if (stop > this.#to) {
        if (this.#position + FRAME_HEADER_BYTES + header.payloadBytes > this.#end) {
          const frameBytes = FRAME_HEADER_BYTES + header.payloadBytes
          const reason = `the file ends at ${this.#end}, within a frame of ${frameBytes} bytes`
          this.#damage = { position: this.#position, reason, torn: true }
        }
        break
      }
      const payload = bytes.subarray(start, stop)
      this.#damage = this.#judge(header.baseOffset, header.recordCount, header.payloadCrc, payload)
      if (this.#damage !== undefined) {
        break
      }
      frames.push({ position: this.#position, baseOffset: header.baseOffset, recordCount: header.recordCount, payload })
      this.#position += stop - this.#from
      this.#offset += header.recordCount
      this.#from = stop
    }
    return frames
  }

  #positionOfBufferEnd(): number {
    return this.#position + (this.#to - this.#from)
  }

  #judge(baseOffset: number, recordCount: number, payloadCrc: number, payload: Buffer): Damage | undefined {
    const position = this.#position
    if (baseOffset !== this.#offset || recordCount === 0) {
      const found = `${recordCount} records at offset ${baseOffset}`
      const reason = `expected a frame of offset ${this.#offset}, found one of ${found}`
      return { position, reason, torn: false }
    }
    const crc = crc32(payload, this.#seed)
    if (crc !== payloadCrc) {
      const reason = `expected payload CRC ${hex32(payloadCrc)}, found ${hex32(crc)}`
      return { position, reason, torn: hasZeroSector(payload, position + FRAME_HEADER_BYTES) }
    }
    return undefined
  }
}

/**
 * Position of a whole frame in `bytes` whose offset is at least `minOffset`, or undefined. Used on what follows a bad
 * frame: there can be none after a torn write, because a batch is written only when the one before it is durable.
 */
export function findFrame(bytes: Buffer, seed: number, minOffset: number): number | undefined {
  for (let at = bytes.indexOf(FRAME_MAGIC); at !== -1; at = bytes.indexOf(FRAME_MAGIC, at + 1)) {
    const header = decodeFrameHeader(bytes, at, seed)
    if (header === undefined || header.baseOffset < minOffset) {
      continue
    }
    const start = at + FRAME_HEADER_BYTES
    const payload = bytes.subarray(start, start + header.payloadBytes)
    if (payload.length === header.payloadBytes && crc32(payload, seed) === header.payloadCrc) {
      return at
    }
  }
  return undefined
}

function headerDamage(bytes: Buffer, position: number): Damage {
  const header = bytes.subarray(0, FRAME_HEADER_BYTES)
  if (header.length < FRAME_HEADER_BYTES) {
    const reason = `the file ends within a frame header, after ${header.length} of ${FRAME_HEADER_BYTES} bytes`
    return { position, reason, torn: true }
  }
  const magic = header.subarray(0, FRAME_MAGIC.length).toString('hex')
  const reason = `expected a frame header (magic ${FRAME_MAGIC.toString('hex')}, valid CRC), found magic ${magic}`
  return { position, reason, torn: hasZeroSector(header, position) }
}

const SECTOR_BYTES = 512

/**
 * Whether the part of some disk sector that these bytes cover is all zeros. That is what a sector looks like which a
 * crash kept from being written, beyond the old end of the file; a sector that was written and decayed does not.
 */
function hasZeroSector(bytes: Buffer, position: number): boolean {
  let from = 0
  while (from < bytes.length) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((position + from) % SECTOR_BYTES))
    if (bytes.subarray(from, to).every((byte) => byte === 0)) {
      return true
    }
    from = to
  }
  return false
}
