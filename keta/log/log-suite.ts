/** What every adapter of the log port must do. An adapter's own test calls `describeLog` with a way to open one. */
import { expect } from 'chai'
import type { Log, LogRecord } from './log.ts'

export interface LogUnderTest {
  readonly log: Log
  /** Opens the same log again after `log` was closed. */
  reopen(): Promise<Log>
  dispose(): Promise<void>
}

/** Logs need not begin at offset 0, and may leave gaps between batches: the suite computes no offset across batches. */
export function describeLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`${name} as a log`, () => {
    let opened: LogUnderTest
    let log: Log
    beforeEach(async () => {
      opened = await open()
      log = opened.log
    })
    afterEach(async () => {
      await log.close()
      await opened.dispose()
    })

    it('is empty when new', async () => {
      expect(log.endOffset).to.equal(log.startOffset)
      expect(await texts(log, log.startOffset)).to.deep.equal([])
    })

    it('returns the records of all batches in the order of their appends', async () => {
      await log.append([bytes('a'), bytes('b')])
      await log.append([bytes('c')])
      await log.append([bytes('d'), bytes('e')])
      expect(await texts(log, log.startOffset)).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
    })

    it('gives the records of a batch consecutive offsets from the base offset of its receipt', async () => {
      await log.append([bytes('a')])
      const { baseOffset } = await log.append([bytes('b'), bytes('c'), bytes('d')])
      const offsets = (await readAll(log, baseOffset)).map(({ offset }) => offset)
      expect(offsets).to.deep.equal([baseOffset, baseOffset + 1, baseOffset + 2])
      expect(log.endOffset).to.be.greaterThan(baseOffset + 2)
    })

    it('keeps empty records, records of every byte value and records of 1.5 MiB', async () => {
      const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index)
      const big = new Uint8Array(1.5 * 1024 * 1024).map((_, index) => (index * 7) % 251)
      await log.append([new Uint8Array(), everyByte, big, new Uint8Array()])
      const found = (await readAll(log, log.startOffset)).map((record) => record.bytes)
      expect(found.map(({ length }) => length)).to.deep.equal([0, 256, big.length, 0])
      expect(Buffer.compare(found[1] ?? bytes('none'), everyByte)).to.equal(0)
      expect(Buffer.compare(found[2] ?? bytes('none'), big)).to.equal(0)
    })

    it('does not see what a caller does to its records once the append has resolved', async () => {
      const record = Buffer.from('as appended')
      await log.append([record])
      record.fill(0)
      expect(await texts(log, log.startOffset)).to.deep.equal(['as appended'])
    })

    it('keeps a batch of 1,000 records', async () => {
      const wanted = Array.from({ length: 1000 }, (_, index) => `record ${index}`)
      await log.append(wanted.map(bytes))
      expect(await texts(log, log.startOffset)).to.deep.equal(wanted)
    })

    it('reads from the middle of a batch', async () => {
      const { baseOffset } = await log.append([bytes('a'), bytes('b'), bytes('c')])
      await log.append([bytes('d')])
      expect(await texts(log, baseOffset + 1)).to.deep.equal(['b', 'c', 'd'])
    })

    it('reads nothing from its end on, and refuses to read beyond it', async () => {
      await log.append([bytes('a')])
      expect(await texts(log, log.endOffset)).to.deep.equal([])
      expect(await codeOf(readAll(log, log.endOffset + 1))).to.equal('OUT_OF_RANGE')
    })

    it('lets a reader stop early, and several read at once', async () => {
      await log.append([bytes('a'), bytes('b')])
      for await (const batch of log.read(log.startOffset)) {
        expect(batch.length).to.be.greaterThan(0)
        break
      }
      const both = await Promise.all([texts(log, log.startOffset), texts(log, log.startOffset)])
      expect(both).to.deep.equal([
        ['a', 'b'],
        ['a', 'b'],
      ])
    })

    it('refuses a second append before the first has settled, and the first goes on', async () => {
      const first = log.append([bytes('first')])
      expect(await codeOf(log.append([bytes('second')]))).to.equal('APPEND_IN_FLIGHT')
      await first
      await log.append([bytes('third')])
      expect(await texts(log, log.startOffset)).to.deep.equal(['first', 'third'])
    })

    it('accepts the next append as soon as the one before it has resolved', async () => {
      await log.append([bytes('a')]).then(() => log.append([bytes('b')]))
      expect(await texts(log, log.startOffset)).to.deep.equal(['a', 'b'])
    })

    it('refuses an empty batch and goes on', async () => {
      const refusal = await log.append([]).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(refusal).to.be.instanceOf(RangeError)
      await log.append([bytes('a')])
      expect(await texts(log, log.startOffset)).to.deep.equal(['a'])
    })

    it('holds every record from the offset of dropBefore on, and none below startOffset', async () => {
      const offsets: number[] = []
      for (let index = 0; index < 20; index++) {
        offsets.push((await log.append([bytes(`record ${index}`)])).baseOffset)
      }
      const kept = offsets[12] ?? Number.NaN
      await log.dropBefore(kept)
      expect(log.startOffset).to.be.at.most(kept)
      expect((await texts(log, kept))[0]).to.equal('record 12')
      expect(await codeOf(readAll(log, log.startOffset - 1))).to.equal('OUT_OF_RANGE')
      await log.append([bytes('after')])
      expect((await texts(log, kept)).length).to.equal(9)
    })

    it('grows and shrinks in size', async () => {
      const before = log.sizeBytes
      await log.append([new Uint8Array(5000)])
      expect(log.sizeBytes - before).to.be.at.least(5000)
      await log.dropBefore(log.endOffset)
      expect(log.sizeBytes).to.be.at.most(before + 6000)
    })

    it('settles the append in flight before it closes', async () => {
      const append = log.append([bytes('a')])
      await log.close()
      expect((await append).baseOffset).to.be.at.least(0)
      log = await opened.reopen()
      expect(await texts(log, log.startOffset)).to.deep.equal(['a'])
    })

    it('refuses everything once closed; closing again does nothing', async () => {
      await log.close()
      await log.close()
      expect(await codeOf(log.append([bytes('a')]))).to.equal('CLOSED')
      expect(await codeOf(readAll(log, log.startOffset))).to.equal('CLOSED')
      expect(await codeOf(log.dropBefore(0))).to.equal('CLOSED')
    })

    it('has everything again after reopening, and continues behind it', async () => {
      await log.append([bytes('a'), bytes('b')])
      const { baseOffset } = await log.append([bytes('c')])
      const end = log.endOffset
      await log.close()
      log = await opened.reopen()
      expect(log.endOffset).to.equal(end)
      expect(await texts(log, baseOffset)).to.deep.equal(['c'])
      expect((await log.append([bytes('d')])).baseOffset).to.be.at.least(end)
      expect(await texts(log, log.startOffset)).to.deep.equal(['a', 'b', 'c', 'd'])
    })
  })
}

/** All records from `fromOffset` on, copied. */
export async function readAll(log: Log, fromOffset: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for await (const batch of log.read(fromOffset)) {
    for (const { offset, bytes: view } of batch) {
      records.push({ offset, bytes: new Uint8Array(view) })
    }
  }
  return records
}

export async function texts(log: Log, fromOffset: number): Promise<string[]> {
  return (await readAll(log, fromOffset)).map((record) => Buffer.from(record.bytes).toString())
}

/** The code of the error that the promise rejects with; 'resolved' if it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}
