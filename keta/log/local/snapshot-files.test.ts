import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, codeOf } from '../log-suite.ts'
import { MemorySnapshots } from '../memory/memory-snapshots.ts'
import type { SnapshotStore } from '../snapshots.ts'
import { FaultyDisk } from './faulty-disk.fixture.ts'
import { openSnapshotFiles } from './snapshot-files.ts'

const LOG_ID = Buffer.alloc(16, 0x5a)
const CHUNKS = ['first', '', 'a third one'].map(bytes)
const PATH = '/snap/00000000000000000042.snap'

describeSnapshots('snapshots in memory', async () => ({ store: new MemorySnapshots(), dispose: () => undefined }))
describeSnapshots('snapshots in files', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'keta-snap-'))
  const store = await openSnapshotFiles({ directory, logId: LOG_ID })
  return { store, dispose: () => rmSync(directory, { recursive: true }) }
})

function describeSnapshots(name: string, open: () => Promise<{ store: SnapshotStore; dispose(): void }>): void {
  describe(name, () => {
    let store: SnapshotStore
    let dispose: () => void
    beforeEach(async () => {
      ;({ store, dispose } = await open())
    })
    afterEach(() => dispose())

    it('come back chunk by chunk, each in a buffer of its own', async () => {
      const info = await store.save(42, CHUNKS)
      expect(await store.list()).to.deep.equal([info])
      const loaded = await load(store, 42)
      expect(loaded.map((chunk) => Buffer.from(chunk))).to.deep.equal(CHUNKS)
      expect(new Set(loaded.map(({ buffer }) => buffer)).size).to.equal(CHUNKS.length)
    })

    it('can be empty', async () => {
      await store.save(0, [])
      expect(await load(store, 0)).to.deep.equal([])
    })

    it('take chunks from an asynchronous source, of several MiB', async () => {
      const chunks = Array.from({ length: 12 }, (_, index) => Buffer.alloc(1_500_000 + index, index))
      async function* source(): AsyncGenerator<Uint8Array> {
        yield* chunks
      }
      await store.save(7, source())
      expect(digest(await load(store, 7))).to.equal(digest(chunks))
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
      expect(await codeOf(load(store, 9))).to.equal('CORRUPT')
    })
  })
}

describe('snapshot files', () => {
  let whole: Buffer
  before(async () => {
    const disk = new FaultyDisk(() => 0)
    await (await openOn(disk)).save(42, CHUNKS)
    whole = disk.files().get(PATH) ?? Buffer.alloc(0)
  })

  it('are not listed when cut at any byte, and refuse to load', async () => {
    for (let size = 0; size < whole.length; size++) {
      const store = await openOn(withFile(whole.subarray(0, size)))
      expect(await store.list()).to.deep.equal([])
      expect(await codeOf(load(store, 42))).to.equal('CORRUPT')
    }
  })

  it('refuse to load when any byte was changed', async () => {
    for (let at = 0; at < whole.length; at++) {
      const garbled = Buffer.from(whole)
      garbled[at] = (garbled[at] ?? 0) ^ 0x10
      expect(await codeOf(load(await openOn(withFile(garbled)), 42))).to.equal('CORRUPT')
    }
  })

  it('are listed by what header and trailer say, so that listing reads no chunk', async () => {
    const garbled = Buffer.from(whole).fill(0xee, 50, 52)
    const store = await openOn(withFile(garbled))
    expect(await store.list()).to.deep.equal([{ offset: 42, sizeBytes: whole.length }])
    expect(await codeOf(load(store, 42))).to.equal('CORRUPT')
  })

  it('of another log are not listed', async () => {
    const store = await openSnapshotFiles({ directory: '/snap', logId: Buffer.alloc(16), disk: withFile(whole) })
    expect(await store.list()).to.deep.equal([])
  })

  it('that cannot be used are pruned once a newer one is there', async () => {
    const disk = withFile(whole.subarray(0, -1))
    const store = await openOn(disk)
    await store.save(50, CHUNKS)
    await store.prune(2)
    expect([...disk.files().keys()]).to.have.length(2)
    await store.save(60, CHUNKS)
    await store.prune(2)
    expect([...disk.files().keys()]).not.to.include(PATH)
  })

  it('leave nothing behind when the device runs full', async () => {
    for (let freeBytes = 0; freeBytes < whole.length; freeBytes++) {
      const disk = new FaultyDisk(() => 0)
      disk.freeBytes = freeBytes
      expect(await codeOf((await openOn(disk)).save(42, CHUNKS))).to.equal('NO_SPACE')
      expect([...disk.files().keys()]).to.deep.equal([])
    }
  })

  it('are found whole or not at all, wherever a crash comes', async () => {
    for (let round = 0; round < 400; round++) {
      const disk = new FaultyDisk((bound) => (Math.imul(round + 1, 0x9e3779b1 >>> (round % 13)) % bound) >>> 0)
      const store = await openOn(disk)
      disk.changesUntilDeath = round % 14
      const saved = await store.save(42, CHUNKS).then(
        () => true,
        () => false,
      )
      disk.crash()
      const again = await openOn(disk)
      expect([...disk.files().keys()].filter((path) => path.endsWith('.new'))).to.deep.equal([])
      const found = await again.list()
      expect(found.length).to.be.at.least(saved ? 1 : 0)
      if (found.length > 0) {
        expect(await load(again, 42)).to.have.length(CHUNKS.length)
      }
    }
  })
})

function openOn(disk: FaultyDisk): Promise<SnapshotStore> {
  return openSnapshotFiles({ directory: '/snap', logId: LOG_ID, disk })
}

function withFile(content: Uint8Array): FaultyDisk {
  const disk = new FaultyDisk(() => 0)
  disk.place(PATH, content)
  return disk
}

async function load(store: SnapshotStore, offset: number): Promise<Uint8Array[]> {
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
