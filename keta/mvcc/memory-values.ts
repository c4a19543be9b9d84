/** Encoded versions in memory: the value store of a node that keeps everything there. See arena.ts. */
import { Arena, Chunk } from './arena.ts'
import type { KeyValueFields } from './kv-encoding.ts'
import { StoredVersion, storeVersion, type VersionsOfKey } from './stored-version.ts'
import type { ValueStore } from './value-store.ts'

export class MemoryValues implements ValueStore {
  readonly #arena: Arena
  /** The chunk that versions were last taken over from. */
  #adopted: Chunk | undefined
  /** Chunks made since the defragmentation began are its targets and are not emptied again. */
  #beforeSerial = 0

  /** @param chunkBytes size of a full-grown chunk; 1 MiB unless given. */
  constructor(chunkBytes?: number) {
    this.#arena = new Arena(chunkBytes)
  }

  get allocatedBytes(): number {
    return this.#arena.allocatedBytes
  }

  get liveBytes(): number {
    return this.#arena.liveBytes
  }

  add(history: VersionsOfKey, fields: KeyValueFields, sub: number, value: Uint8Array): StoredVersion {
    return storeVersion(this.#arena, history, fields, sub, value)
  }

  adopt(
    history: VersionsOfKey,
    fields: KeyValueFields,
    sub: number,
    bytes: Buffer,
    offset: number,
    length: number,
  ): StoredVersion {
    if (this.#adopted?.bytes !== bytes) this.#adopted = this.#arena.adopt(bytes)
    this.#arena.claim(this.#adopted, length)
    return new StoredVersion(history, fields, sub, this.#adopted, offset, length)
  }

  /** The version object itself stays readable, too. */
  remove(version: StoredVersion): void {
    this.#arena.release(chunkOf(version), version.encodedLength)
  }

  beginDefragmentation(): void {
    this.#arena.retireSparseOpenChunk()
    this.#beforeSerial = this.#arena.nextSerial
  }

  defragment(version: StoredVersion): void {
    const from = chunkOf(version)
    if (from.serial >= this.#beforeSerial || !this.#arena.isSparse(from)) return
    const bytes = version.encoded()
    const chunk = this.#arena.allocate(bytes.length)
    const offset = chunk.used - bytes.length
    chunk.bytes.set(bytes, offset)
    version.moveTo(chunk, offset)
    this.#arena.release(from, bytes.length)
  }
}

function chunkOf({ place }: StoredVersion): Chunk {
  if (!(place instanceof Chunk)) throw new Error('a version of another value store was handed in')
  return place
}
