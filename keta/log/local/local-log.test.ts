import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogUnderTest } from '../log-suite.ts'
import { bytes, codeOf, describeLog, readAll, texts } from '../log-suite.ts'
import type { Log } from '../log.ts'
import { openLocalLog } from './local-log.ts'

const LOG_ID = Buffer.alloc(16, 0x1d)

describeLog('local log', () => openHere(undefined))
describeLog('local log with a segment per batch', () => openHere(1))
describeLog('local log with small segments', () => openHere(200))

async function openHere(segmentBytes: number | undefined): Promise<LogUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'keta-log-'))
  const open = (): Promise<Log> =>
    openLocalLog({ directory, logId: LOG_ID, ...(segmentBytes === undefined ? {} : { segmentBytes }) })
  return { log: await open(), reopen: open, dispose: async () => rmSync(directory, { recursive: true }) }
}

describe('local log', () => {
  let directory: string
  const opened: Log[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-log-'))
  })
  afterEach(async () => {
    for (const log of opened.splice(0)) {
      await log.close()
    }
    rmSync(directory, { recursive: true })
  })
  async function open(segmentBytes: number): Promise<Log> {
    const log = await openLocalLog({ directory, logId: LOG_ID, segmentBytes })
    opened.push(log)
    return log
  }

  it('numbers records from 0 without gaps, across segments', async () => {
    const log = await open(100)
    for (let index = 0; index < 10; index++) {
      expect((await log.append([bytes('x'.repeat(30)), bytes('y')])).baseOffset).to.equal(2 * index)
    }
    expect((await readAll(log, 0)).map(({ offset }) => offset)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i))
  })

  it('names a segment by its first offset, and unlinks only segments wholly below dropBefore', async () => {
    const log = await open(1)
    for (let index = 0; index < 5; index++) {
      await log.append([bytes('a'), bytes('b')])
    }
    await log.dropBefore(5)
    expect((await readdir(directory)).sort()).to.deep.equal([
      '00000000000000000004.log',
      '00000000000000000006.log',
      '00000000000000000008.log',
    ])
    expect(log.startOffset).to.equal(4)
    expect(await codeOf(readAll(log, 3))).to.equal('OUT_OF_RANGE')
  })

  it('never drops the segment that it appends to', async () => {
    const log = await open(1000)
    await log.append([bytes('a')])
    await log.dropBefore(1)
    expect(await texts(log, 0)).to.deep.equal(['a'])
  })

  it('starts at the first segment kept after reopening', async () => {
    const log = await open(1)
    for (let index = 0; index < 5; index++) {
      await log.append([bytes(`record ${index}`)])
    }
    await log.dropBefore(3)
    await log.close()
    const again = await open(1)
    expect(again.startOffset).to.equal(3)
    expect(await texts(again, 3)).to.deep.equal(['record 3', 'record 4'])
  })

  it('tells a reader whose segments are dropped under it that they are out of range', async () => {
    const log = await open(1)
    for (let index = 0; index < 3; index++) {
      await log.append([bytes(`record ${index}`)])
    }
    const reader = log.read(0)[Symbol.asyncIterator]()
    await reader.next()
    await log.dropBefore(2)
    expect(await codeOf(reader.next())).to.equal('OUT_OF_RANGE')
  })

  it('refuses a segment of another log', async () => {
    await (await open(1000)).close()
    const other = openLocalLog({ directory, logId: Buffer.alloc(16, 0x2e) })
    await other.then(
      () => expect.fail('opened'),
      (error: unknown) =>
        expect(error)
          .to.have.property('message')
          .that.matches(/another log's.*Nothing was changed/s),
    )
  })

  it('reports how far opening has come', async () => {
    const log = await open(100)
    for (let index = 0; index < 10; index++) {
      await log.append([bytes('x'.repeat(100))])
    }
    await log.close()
    const seen: number[] = []
    const progress = ({ bytesRead, bytesTotal }: { bytesRead: number; bytesTotal: number }): void => {
      expect(bytesTotal).to.equal(log.sizeBytes)
      seen.push(bytesRead)
    }
    opened.push(await openLocalLog({ directory, logId: LOG_ID, progress }))
    expect(seen).to.deep.equal(seen.toSorted((a, b) => a - b))
    expect(seen.at(-1)).to.equal(log.sizeBytes)
  })
})
