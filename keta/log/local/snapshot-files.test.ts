import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, codeOf } from '../log-suite.ts'
import { MemorySnapshots } from '../memory/memory-snapshots.ts'
import { describeSnapshots, loadSnapshot } from '../snapshots-suite.ts'
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
      expect(await codeOf(loadSnapshot(store, 42))).to.equal('CORRUPT')
    }
  })

  it('refuse to load when any byte was changed', async () => {
    for (let at = 0; at < whole.length; at++) {
      const garbled = Buffer.from(whole)
      garbled[at] = (garbled[at] ?? 0) ^ 0x10
      expect(await codeOf(loadSnapshot(await openOn(withFile(garbled)), 42))).to.equal('CORRUPT')
    }
  })

  it('are listed by what header and trailer say, so that listing reads no chunk', async () => {
    const garbled = Buffer.from(whole).fill(0xee, 50, 52)
    const store = await openOn(withFile(garbled))
    expect(await store.list()).to.deep.equal([{ offset: 42, sizeBytes: whole.length }])
    expect(await codeOf(loadSnapshot(store, 42))).to.equal('CORRUPT')
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
        expect(await loadSnapshot(again, 42)).to.have.length(CHUNKS.length)
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
