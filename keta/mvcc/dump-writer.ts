/**
 * Writes the store as it was when the dump began, while it goes on changing. dump-format.md describes the bytes.
 *
 * Nothing is copied beforehand: versions never change, and what is written later has a higher revision. It is enough
 * that none is removed before the end, which `openDumps` sees to.
 */
import { EMPTY_KEY, type Key } from '../bytes/key.ts'
import { ProtoWriter, WIRE_VARINT } from '../bytes/proto-writer.ts'
import {
  CHUNK_END,
  CHUNK_HEADER,
  CHUNK_KEY_VALUE,
  CHUNK_ORDINAL,
  CHUNK_SUB,
  DUMP_FORMAT,
  END_VERSIONS,
  HEADER_COMPACT_REVISION,
  HEADER_FORMAT,
  HEADER_ORDINALS,
  HEADER_REVISION,
} from './dump-fields.ts'
import type { KeyHistory } from './key-index.ts'
import type { StoreDump } from './kv.ts'
import type { StoreParts } from './parts.ts'
import type { StoredVersion } from './stored-version.ts'

/** Bytes that a version may need besides its KeyValue: three tags and three varints. */
const MAX_OVERHEAD = 27

/** Room for the header or the end. */
const END_BYTES = 64

export class DumpWriter implements StoreDump {
  readonly chunks: Iterable<Uint8Array>
  readonly #parts: StoreParts
  readonly #chunkBytes: number
  readonly #revision: number
  readonly #compactRevision: number
  readonly #ordinals: number
  readonly #ordinalOf: (version: StoredVersion) => number
  /** The key to go on with, and which of its versions is the next. */
  #key: Key | undefined = EMPTY_KEY
  #position = 0
  #versions = 0
  #chunkVersions = 0
  #closed = false

  constructor(parts: StoreParts, chunkBytes: number) {
    this.#parts = parts
    this.#chunkBytes = chunkBytes
    this.#revision = parts.revision
    this.#compactRevision = parts.compactRevision
    this.#ordinals = parts.sequence.length
    this.#ordinalOf = parts.sequence.positions()
    this.chunks = this.#makeChunks()
    parts.openDumps++
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#parts.openDumps--
  }

  *#makeChunks(): Generator<Uint8Array> {
    let writer = new ProtoWriter(this.#chunkBytes + END_BYTES)
    writer.messageField(CHUNK_HEADER, this.#header())
    for (;;) {
      if (this.#closed) throw new Error('a dump was read after it was closed')
      this.#fill(writer)
      if (this.#key === undefined) break
      yield writer.finish()
      writer = new ProtoWriter(this.#chunkBytes + END_BYTES)
    }
    const end = new ProtoWriter()
    end.intField(END_VERSIONS, this.#versions)
    writer.messageField(CHUNK_END, end.finish())
    yield writer.finish()
  }

  #header(): Uint8Array {
    const header = new ProtoWriter()
    header.intField(HEADER_FORMAT, DUMP_FORMAT)
    header.intField(HEADER_REVISION, this.#revision)
    header.intField(HEADER_COMPACT_REVISION, this.#compactRevision + 1)
    header.intField(HEADER_ORDINALS, this.#ordinals)
    return header.finish()
  }

  /** Writes versions until the chunk is full, or no key is left. */
  #fill(writer: ProtoWriter): void {
    const start = this.#key
    if (start === undefined) return
    this.#key = undefined
    this.#chunkVersions = 0
    this.#parts.index.scan(start, null, (history) => {
      if (history.key !== start || this.#position === 0) this.#position = history.deadCount(this.#compactRevision)
      if (this.#writeHistory(writer, history)) {
        this.#position = 0
        return true
      }
      this.#key = history.key
      return false
    })
  }

  /** False if the chunk is full; then `#position` says where to go on. */
  #writeHistory(writer: ProtoWriter, history: KeyHistory): boolean {
    for (; this.#position < history.length; this.#position++) {
      const version = history.version(this.#position)
      if (version === undefined || version.modRevision > this.#revision) return true
      // A chunk that holds something is never stretched, or its buffer would be copied into one of twice the size.
      const isFull = writer.length + MAX_OVERHEAD + version.encodedLength > this.#chunkBytes
      if (isFull && this.#chunkVersions > 0) return false
      this.#chunkVersions++
      writer.tag(CHUNK_ORDINAL, WIRE_VARINT)
      writer.varint(this.#ordinalOf(version))
      writer.intField(CHUNK_SUB, version.sub)
      writer.messageField(CHUNK_KEY_VALUE, version.encoded())
      this.#versions++
    }
    return true
  }
}
