import { expect } from 'chai'
import { bytes, codeOf, describeLog, texts } from '../log-suite.ts'
import { MemoryLog } from './memory-log.ts'

describeLog('memory log', async () => openMemoryLog())
describeLog('memory log that begins at offset 1000', async () => openMemoryLog(1000))

async function openMemoryLog(startOffset = 0): ReturnType<Parameters<typeof describeLog>[1]> {
  const log = new MemoryLog({ startOffset, readBatch: 3 })
  return { log, reopen: async () => log.reopen(), dispose: async () => undefined }
}

describe('memory log with injected faults', () => {
  it('refuses every append after a failed one', async () => {
    const log = new MemoryLog()
    log.failNextAppend('lost')
    expect(await codeOf(log.append([bytes('a')]))).to.equal('APPEND_FAILED')
    expect(await codeOf(log.append([bytes('b')]))).to.equal('APPEND_FAILED')
    expect(await texts(log, 0)).to.deep.equal([])
  })

  it('can hold the batch of an append that failed', async () => {
    const log = new MemoryLog()
    log.failNextAppend('landed')
    expect(await codeOf(log.append([bytes('a')]))).to.equal('APPEND_FAILED')
    expect(await texts(log.reopen(), 0)).to.deep.equal(['a'])
  })

  it('shows a held append to no reader before it is released', async () => {
    const log = new MemoryLog()
    const release = log.holdAppends()
    const append = log.append([bytes('a')])
    expect(await texts(log, 0)).to.deep.equal([])
    expect(log.endOffset).to.equal(0)
    release()
    expect((await append).baseOffset).to.equal(0)
    expect(await texts(log, 0)).to.deep.equal(['a'])
  })

  it('loses a held append at a crash', async () => {
    const log = new MemoryLog()
    await log.append([bytes('a')])
    const release = log.holdAppends()
    const append = log.append([bytes('b')])
    const next = log.reopen()
    release()
    await append
    expect(await texts(next, 0)).to.deep.equal(['a'])
  })
})
