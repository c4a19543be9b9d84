/** What every adapter of the snapshot port must do. Its own test calls `describeSnapshots` with a way to open one. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { bytes, codeOf } from './log-suite.ts'
import type { SnapshotStore } from './snapshots.ts'

export interface SnapshotsUnderTest {
  readonly store: SnapshotStore
  dispose(): void | Promise<void>
}

const CHUNKS = ['first', '', 'a third one'].map(bytes)

/** @param open gives an empty store */
export function describeSnapshots(name: string, open: () => Promise<SnapshotsUnderTest>): void {
  describe(name, () => {
    let store: SnapshotStore
    let dispose: () => void | Promise<void>
    beforeEach(async () => {
      ;({ store, dispose } = await open())
    })
    afterEach(() => dispose())

    it('come back chunk by chunk, each in a buffer of its own', async () => {
      const info = await store.save(42, CHUNKS)
      expect(await store.list()).to.deep.equal([info])
      const loaded = await loadSnapshot(store, 42)
      expect(loaded.map((chunk) => Buffer.from(chunk))).to.deep.equal(CHUNKS)
      expect(new Set(loaded.map(({ buffer }) => buffer)).size).to.equal(CHUNKS.length)
    })

    it('can be empty', async () => {
      await store.save(0, [])
      expect(await loadSnapshot(store, 0)).to.deep.equal([])
    })

    it('take chunks from an asynchronous source, of several MiB', async () => {
      const chunks = Array.from({ length: 12 }, (_, index) => Buffer.alloc(1_500_000 + index, index))
      async function* source(): AsyncGenerator<Uint8Array> {
        yield* chunks
      }
      await store.save(7, source())
      expect(digest(await loadSnapshot(store, 7))).to.equal(digest(chunks))
    })

    it('are listed newest first, and pruned to the newest', async () => {
      for (const offset of [5, 100, 20]) {
        await store.save(offset, CHUNKS)
      }
      expect((await store.list()).map(({ offset }) => offset)).to.deep.equal([100, 20, 5])
      await store.prune(2)
      expect((await store.list()).map(({ offset }) => offset)).to.deep.equal([100, 20])
      await store.prune(5)
      expect(await store.list()).to.have.length(2)
    })

    it('leave nothing behind when their source fails', async () => {
      const failure = new Error('source')
      function* source(): Generator<Uint8Array> {
        yield bytes('some')
        throw failure
      }
      expect(await codeOf(store.save(3, source()))).to.equal(failure)
      expect(await store.list()).to.deep.equal([])
      await store.save(3, CHUNKS)
    })

    it('let a consumer stop early', async () => {
      await store.save(1, CHUNKS)
      for await (const chunk of store.load({ offset: 1, sizeBytes: 0 })) {
        expect(Buffer.from(chunk).toString()).to.equal('first')
        break
      }
    })

    it('are not there to load when they were never saved', async () => {
      expect(await codeOf(loadSnapshot(store, 9))).to.equal('CORRUPT')
    })
  })
}

/** The chunks of the snapshot of this offset. */
export async function loadSnapshot(store: SnapshotStore, offset: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of store.load({ offset, sizeBytes: 0 })) {
    chunks.push(chunk)
  }
  return chunks
}

function digest(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) {
    hash.update(chunk)
  }
  return hash.digest('hex')
}
