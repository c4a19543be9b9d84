import { expect } from 'chai'
import type { ValueAt } from '../../kafka/client/record-batch.ts'
import { BrokenSnapshot, chunksOf } from './snapshot-reader.ts'
import type { Finished } from './snapshot-records.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

const OURS = 'aa'.repeat(16)
const THEIRS = 'bb'.repeat(16)
const CHUNKS = ['one', '', 'a long one that is cut into several parts '.repeat(20), 'last'].map((text) =>
  Buffer.from(text),
)

describe('the reader of a snapshot', () => {
  let manifest: Finished
  let ours: Uint8Array[]
  let theirs: Uint8Array[]

  beforeEach(async () => {
    ours = []
    theirs = []
    const written = await write(OURS, CHUNKS, ours)
    manifest = { kind: 'finished', id: OURS, logId: 'log', offset: 1, ...written }
    await write(THEIRS, [...CHUNKS].reverse(), theirs)
    expect(ours.length).to.be.greaterThan(5)
  })

  it('gives the chunks back, each in a buffer of its own', async () => {
    const chunks = await read(manifest, [ours])
    expect(chunks.map((chunk) => Buffer.from(chunk))).to.deep.equal(CHUNKS)
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).to.equal(CHUNKS.length)
  })

  it('passes over what others have saved in between, wherever answers end', async () => {
    const mixed = ours.flatMap((record, index) => [theirs[index] ?? Buffer.from('?'), record])
    expect(
      await read(
        manifest,
        mixed.map((record) => [record]),
      ),
    ).to.deep.equal(CHUNKS)
    expect(await read(manifest, [mixed.slice(0, 5), [], mixed.slice(5)])).to.deep.equal(CHUNKS)
  })

  it('passes over what was sent again', async () => {
    for (let at = 1; at <= ours.length; at++) {
      const again = [...ours.slice(0, at), ...ours.slice(Math.max(0, at - 3), at), ...ours.slice(at)]
      expect(await read(manifest, [again])).to.deep.equal(CHUNKS)
    }
  })

  it('notices every part that is missing', async () => {
    for (let at = 0; at < ours.length; at++) {
      expect(await failure(read(manifest, [ours.filter((_, index) => index !== at)]))).to.be.instanceOf(BrokenSnapshot)
    }
  })

  it('notices every byte that differs, other than by Kafka\u2019s checksum', async () => {
    for (const [index, record] of ours.entries()) {
      for (let at = 0; at < record.length; at += 7) {
        const garbled = Buffer.from(record)
        garbled[at] = (garbled[at] ?? 0) ^ 0x04
        const records = ours.map((other, place) => (place === index ? garbled : other))
        expect(await failure(read(manifest, [records])), `byte ${at}`).to.be.instanceOf(BrokenSnapshot)
      }
    }
  })
})

async function write(
  id: string,
  chunks: readonly Uint8Array[],
  into: Uint8Array[],
): Promise<Awaited<ReturnType<SnapshotWriter['finish']>>> {
  const append = async (records: readonly Uint8Array[]): Promise<number> => into.push(...records) - records.length
  const writer = new SnapshotWriter(id, { append }, 400)
  for (const chunk of chunks) await writer.add(chunk)
  return writer.finish(0)
}

async function read(manifest: Finished, batches: readonly (readonly Uint8Array[])[]): Promise<Uint8Array[]> {
  async function* source(): AsyncGenerator<readonly ValueAt[]> {
    for (const records of batches) yield records.map((bytes, offset) => ({ offset, bytes }))
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of chunksOf(manifest, source())) chunks.push(chunk)
  return chunks
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}
