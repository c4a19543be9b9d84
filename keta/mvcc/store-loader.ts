/** Builds a store from the chunks of a dump, in time proportional to its size. dump-format.md describes the bytes. */
import type { Key } from '../bytes/key.ts'
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { DumpError } from './dump-error.ts'
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
import { checkVersion, parseKeyValue } from './kv-parsing.ts'
import { StoreParts } from './parts.ts'
import type { VersionPosition } from './place.ts'
import { isBefore } from './revision-sequence.ts'
import { MvccStore } from './store.ts'
import type { StoredVersion } from './stored-version.ts'
import type { ValueStore } from './value-store.ts'

/** Far beyond what fits into memory; a bound on the work that a damaged header can cause. */
const MAX_ORDINALS = 2 ** 27

export class StoreLoader {
  readonly #parts: StoreParts
  /** The versions at their places in the order of revisions; undefined until the header is read. */
  #byOrdinal: (StoredVersion | undefined)[] | undefined
  #history: KeyHistory | undefined
  #versions = 0
  #ended = false

  /** @param values where the versions will lie: in memory unless given. */
  constructor(values?: ValueStore) {
    this.#parts = new StoreParts(values)
  }

  /** Takes the next chunk of the dump and keeps it: it must not be written to afterwards. @throws DumpError */
  add(chunk: Uint8Array): void {
    try {
      this.#addChunk(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      throw new DumpError('MALFORMED_DUMP', `broken dump: ${error.message}`, { cause: error })
    }
  }

  /** All chunks have been added. The loader must not be used afterwards. @throws DumpError */
  finish(): MvccStore {
    const { sequence } = this.#parts
    if (this.#byOrdinal === undefined || !this.#ended) throw new DumpError('INCOMPLETE_DUMP', 'the dump has no end')
    let last: StoredVersion | undefined
    for (const version of this.#byOrdinal) {
      if (version === undefined) continue
      if (last !== undefined && !isBefore(last, version.modRevision, version.sub)) throw outOfOrder(last, version)
      sequence.append(version)
      last = version
    }
    this.#countKey()
    return new MvccStore(this.#parts)
  }

  #addChunk(bytes: Buffer): void {
    if (this.#ended) throw new DumpError('INCOMPLETE_DUMP', 'the dump goes on after its end')
    const reader = new ProtoReader(bytes)
    let ordinal: number | undefined
    let sub = 0
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === CHUNK_ORDINAL) ordinal = reader.int()
      else if (field === CHUNK_SUB) sub = reader.int()
      else if (field === CHUNK_KEY_VALUE) {
        this.#addVersion(bytes, reader.bytes(), ordinal, sub)
        ordinal = undefined
        sub = 0
      } else if (field === CHUNK_HEADER) this.#readHeader(reader.message())
      else if (field === CHUNK_END) this.#readEnd(reader.message())
      else throw new MalformedMessage(`unknown field ${field}`)
    }
  }

  #readHeader(reader: ProtoReader): void {
    if (this.#byOrdinal !== undefined) throw new DumpError('INCOMPLETE_DUMP', 'the dump begins a second time')
    const header = new Map<number, number>()
    for (let field = reader.next(); field !== 0; field = reader.next()) header.set(field, reader.int())
    const format = header.get(HEADER_FORMAT)
    if (format !== DUMP_FORMAT) throw new DumpError('UNKNOWN_DUMP_FORMAT', `dump format ${format ?? 'not given'}`)
    const revision = header.get(HEADER_REVISION) ?? 0
    const compactRevision = (header.get(HEADER_COMPACT_REVISION) ?? 0) - 1
    const ordinals = header.get(HEADER_ORDINALS) ?? 0
    if (revision < 1 || compactRevision < -1 || compactRevision > revision || ordinals < 0 || ordinals > MAX_ORDINALS) {
      throw new MalformedMessage(`revision ${revision}, compacted at ${compactRevision}, ${ordinals} versions`)
    }
    this.#parts.revision = revision
    this.#parts.compactRevision = compactRevision
    this.#byOrdinal = new Array<StoredVersion | undefined>(ordinals)
  }

  #readEnd(reader: ProtoReader): void {
    let versions = 0
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === END_VERSIONS) versions = reader.int()
      else reader.skip()
    }
    if (versions !== this.#versions) {
      throw new DumpError('INCOMPLETE_DUMP', `${this.#versions} of ${versions} versions are in the dump`)
    }
    this.#ended = true
  }

  #addVersion(chunk: Buffer, encoded: Uint8Array, ordinal: number | undefined, sub: number): void {
    const byOrdinal = this.#byOrdinal
    if (byOrdinal === undefined) throw new DumpError('INCOMPLETE_DUMP', 'the dump has no beginning')
    const offset = encoded.byteOffset - chunk.byteOffset
    const fields = parseKeyValue(new ProtoReader(chunk, offset, offset + encoded.length))
    checkVersion(fields, encoded.length, sub, this.#parts.revision)
    if (ordinal === undefined || ordinal < 0 || ordinal >= byOrdinal.length || byOrdinal[ordinal] !== undefined) {
      throw new MalformedMessage(`ordinal ${ordinal ?? 'not given'} of ${byOrdinal.length} is out of place`)
    }
    const history = this.#historyOf(fields.key)
    const { newest } = history
    if (newest !== undefined && !isBefore(newest, fields.modRevision, sub)) throw outOfOrder(newest, { ...fields, sub })
    const version = this.#parts.values.adopt(history, fields, sub, chunk, offset, encoded.length)
    history.append(version)
    byOrdinal[ordinal] = version
    this.#versions++
  }

  #historyOf(key: Key): KeyHistory {
    const current = this.#history
    if (current?.key === key) return current
    if (current !== undefined && key < current.key) {
      throw new DumpError('INCOMPLETE_DUMP', 'the chunks of the dump are out of order')
    }
    this.#countKey()
    this.#history = this.#parts.index.getOrInsert(key)
    return this.#history
  }

  /** Called when all versions of the current key have been added. */
  #countKey(): void {
    if (this.#history?.alive !== undefined) this.#parts.keyCount++
  }
}

function outOfOrder(first: VersionPosition, second: VersionPosition): DumpError {
  const positions = `${second.modRevision}.${second.sub} after ${first.modRevision}.${first.sub}`
  return new DumpError('MALFORMED_DUMP', `versions out of order: ${positions}`)
}
