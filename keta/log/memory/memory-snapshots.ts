/** The snapshot store in memory, for tests and simulation. */
import { LogError } from '../log.ts'
import type { SnapshotInfo, SnapshotStore } from '../snapshots.ts'

export class MemorySnapshots implements SnapshotStore {
  readonly #snapshots = new Map<number, readonly Uint8Array[]>()
  readonly #damaged = new Set<number>()

  async save(offset: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotInfo> {
    const copies: Uint8Array[] = []
    for await (const chunk of chunks) {
      copies.push(new Uint8Array(chunk))
    }
    this.#snapshots.set(offset, copies)
    this.#damaged.delete(offset)
    return { offset, sizeBytes: sizeOf(copies) }
  }

  list(): Promise<readonly SnapshotInfo[]> {
    const infos = [...this.#snapshots].map(([offset, chunks]) => ({ offset, sizeBytes: sizeOf(chunks) }))
    return Promise.resolve(infos.sort((a, b) => b.offset - a.offset))
  }

  async *load({ offset }: SnapshotInfo): AsyncGenerator<Uint8Array> {
    const chunks = this.#snapshots.get(offset)
    if (chunks === undefined || this.#damaged.has(offset)) {
      const reason = chunks === undefined ? 'not there' : 'damaged'
      throw new LogError('CORRUPT', `the snapshot of offset ${offset} is ${reason}`)
    }
    for (const chunk of chunks) {
      yield new Uint8Array(chunk)
    }
  }

  async prune(keep: number): Promise<void> {
    for (const { offset } of (await this.list()).slice(keep)) {
      this.#snapshots.delete(offset)
    }
  }

  /** From now on loading this snapshot fails as one does whose checksum does not hold. */
  damage(offset: number): void {
    this.#damaged.add(offset)
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}
