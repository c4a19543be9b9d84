/**
 * Snapshots of one node, or those that all share. A process sees them through a store of its own; what it has not
 * finished when it dies is not there.
 */
import { LogError } from '../log/log.ts'
import type { SnapshotInfo, SnapshotStore } from '../log/snapshots.ts'
import type { Chance } from './chance.fixture.ts'
import type { Process, World } from './world.fixture.ts'

/** What survives: offset and chunks. */
export type Disk = Map<number, { readonly chunks: readonly Uint8Array[]; isDamaged: boolean }>

const WRITE_MS = 20

export interface DiskParts {
  readonly world: World
  readonly disk: Disk
  readonly process: Process
  /** Whether it can be reached now. */
  readonly isReached: () => boolean
}

export class SimulatedSnapshots implements SnapshotStore {
  readonly #parts: DiskParts
  readonly #chance: Chance

  constructor(parts: DiskParts) {
    this.#parts = parts
    this.#chance = parts.world.chance.branch(`disk ${parts.process.id}`)
  }

  async save(offset: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotInfo> {
    const written: Uint8Array[] = []
    for await (const chunk of chunks) {
      written.push(new Uint8Array(chunk))
      await this.#io()
    }
    await this.#io()
    this.#parts.disk.set(offset, { chunks: written, isDamaged: false })
    await this.#io()
    return { offset, sizeBytes: sizeOf(written) }
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    await this.#io()
    const infos = [...this.#parts.disk].map(([offset, { chunks }]) => ({ offset, sizeBytes: sizeOf(chunks) }))
    return infos.sort((a, b) => b.offset - a.offset)
  }

  async *load({ offset }: SnapshotInfo): AsyncGenerator<Uint8Array> {
    const found = this.#parts.disk.get(offset)
    if (found === undefined || found.isDamaged) throw new LogError('CORRUPT', `the snapshot of ${offset} is damaged`)
    for (const chunk of found.chunks) {
      await this.#io()
      yield new Uint8Array(chunk)
    }
  }

  async prune(keep: number): Promise<void> {
    for (const { offset } of (await this.list()).slice(keep)) this.#parts.disk.delete(offset)
  }

  #io(): Promise<void> {
    const { world, process, isReached } = this.#parts
    return new Promise((resolve) => {
      const attempt = (): void => {
        world.schedule(this.#chance.skewed(0.1, WRITE_MS), process, 'disk', () => {
          if (isReached()) resolve()
          else attempt()
        })
      }
      attempt()
    })
  }
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}
