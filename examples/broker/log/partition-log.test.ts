import { expect } from 'chai'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerError } from '../errors.ts'
import { decodeRecords, encodeBatch, HEADER_BYTES, splitBatches } from './batch.ts'
import { openLogDir, topicIdIn, writeTopicId } from './log-dir.ts'
import { PartitionLog } from './partition-log.ts'

describe('a log on disk', () => {
  let folder: string
  const file = () => join(folder, '00000000000000000000.log')
  const open = () => new PartitionLog({ folder, flushMessages: 1 })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keta-log-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('gives back what was appended, from any offset on', () => {
    const log = open()
    expect(log.append(bytes('a', 'b'), 0)).to.equal(0)
    expect(log.append(bytes('c'), 0)).to.equal(2)
    expect(log.append(bytes('d'), 2)).to.equal(3)
    expect(log.endOffset).to.equal(4)
    expect(texts(log.read(0, 1e6))).to.deep.equal(['a', 'b', 'c', 'd'])
    expect(texts(log.read(1, 1e6)), 'the whole batch').to.deep.equal(['a', 'b', 'c', 'd'])
    expect(texts(log.read(2, 1)), 'at least one').to.deep.equal(['c'])
    expect(texts(log.read(0, 1e6, 3)), 'what ends before').to.deep.equal(['a', 'b', 'c'])
    expect(texts(log.read(4, 1e6))).to.deep.equal([])
    expect(log.epochs).to.deep.equal([
      { epoch: 0, start: 0 },
      { epoch: 2, start: 3 },
    ])
    log.close()
  })

  it('is the same when it is opened again', () => {
    const log = open()
    log.append(bytes('a', 'b'), 0)
    log.append(bytes('c'), 1)
    log.close()
    const again = open()
    expect([again.endOffset, again.lastEpoch]).to.deep.equal([3, 1])
    expect(again.append(bytes('d'), 1)).to.equal(3)
    expect(texts(again.read(0, 1e6))).to.deep.equal(['a', 'b', 'c', 'd'])
    again.close()
  })

  it('drops a batch that is cut short or damaged, wherever', () => {
    const log = open()
    log.append(bytes('first'), 0)
    const kept = readFileSync(file()).length
    log.append(bytes('second'), 0)
    log.close()
    const whole = readFileSync(file())
    for (let length = kept; length < whole.length; length++) {
      writeFileSync(file(), whole.subarray(0, length))
      const cut = open()
      expect(cut.endOffset, `of ${length} bytes`).to.equal(1)
      cut.close()
      expect(readFileSync(file()).length, 'what is left of the file').to.equal(kept)
    }
    for (let at = kept; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      writeFileSync(file(), damaged)
      const log = open()
      expect(log.endOffset, `with byte ${at} changed`).to.equal(1)
      log.close()
    }
  })

  it('refuses a log with a gap', () => {
    const log = open()
    log.append(bytes('a'), 0)
    log.close()
    appendFileSync(file(), encodeBatch(7, 0, bytes('b')))
    expect(open).to.throw(BrokerError, 'goes on with 7 instead of 1')
  })

  it('takes a leader’s batches as they are, and only those that go on where it ends', () => {
    const log = open()
    log.appendBatches(Buffer.concat([encodeBatch(0, 0, bytes('a', 'b')), encodeBatch(2, 1, bytes('c'))]))
    expect([log.endOffset, log.lastEpoch]).to.deep.equal([3, 1])
    expect(() => log.appendBatches(encodeBatch(4, 1, bytes('x')))).to.throw(BrokerError, 'begins at 4')
    expect(() => log.appendBatches(Buffer.from('nonsense'))).to.throw(BrokerError, 'no sound batch')
    expect(log.endOffset).to.equal(3)
    log.close()
  })

  it('truncates whole batches, for good', () => {
    const log = open()
    log.append(bytes('a', 'b'), 0)
    log.append(bytes('c', 'd'), 1)
    log.truncate(9)
    expect(log.endOffset).to.equal(4)
    log.truncate(3)
    expect(log.endOffset).to.equal(2)
    log.append(bytes('e'), 2)
    log.close()
    const again = open()
    expect(texts(again.read(0, 1e6))).to.deep.equal(['a', 'b', 'e'])
    again.truncate(0)
    expect([again.endOffset, again.lastEpoch]).to.deep.equal([0, undefined])
    again.close()
  })

  it('ignores zeros that a crash has left at the end', () => {
    const log = open()
    log.append(bytes('a'), 0)
    log.close()
    truncateSync(file(), readFileSync(file()).length + 100)
    const again = open()
    expect(again.endOffset).to.equal(1)
    again.close()
  })
})

describe('a folder of logs', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keta-logs-'))
  })
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('keeps its id, and belongs to one broker of one cluster', () => {
    const first = openLogDir(folder, 1, 'cluster')
    first.release()
    const again = openLogDir(folder, 1, 'cluster')
    expect(again.id).to.equal(first.id)
    again.release()
    expect(() => openLogDir(folder, 2, 'cluster')).to.throw(BrokerError, 'belongs to broker 1')
    expect(() => openLogDir(folder, 1, 'other')).to.throw(BrokerError, 'belongs to cluster cluster')
    openLogDir(folder, 1, 'cluster').release()
  })

  it('is used by one process at a time, and taken over from a dead one', () => {
    const parent = String(process.ppid)
    writeFileSync(join(folder, '.lock'), parent)
    expect(() => openLogDir(folder, 1, 'cluster')).to.throw(BrokerError, 'in use')
    // above any that Linux gives
    writeFileSync(join(folder, '.lock'), '99999999')
    openLogDir(folder, 1, 'cluster').release()
  })

  it('says to which topic a partition belongs', () => {
    expect(topicIdIn(join(folder, 't-0'))).to.equal(undefined)
    writeTopicId(join(folder, 't-0'), 'abc')
    expect(topicIdIn(join(folder, 't-0'))).to.equal('abc')
  })
})

function bytes(...all: readonly string[]): readonly Buffer[] {
  return all.map((text) => Buffer.from(text))
}

function texts(batches: Buffer): readonly string[] {
  return splitBatches(batches).flatMap((batch) => decodeRecords(batch.bytes.subarray(HEADER_BYTES)).map(String))
}
