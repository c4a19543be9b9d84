import { expect } from 'chai'
import { bytes, codeOf, describeLog, texts } from '../log-suite.ts'
import { describeSharedLog } from '../shared-log-suite.ts'
import { MemoryLog } from './memory-log.ts'

describeLog('memory log', async () => openMemoryLog())
describeLog('memory log that begins at offset 1000', async () => openMemoryLog(1000))

describeSharedLog('memory log', async () => {
  const log = new MemoryLog({ readBatch: 3 })
  const handles: MemoryLog[] = []
  return {
    open: async () => {
      handles.push(log.another())
      return handles.at(-1) ?? log
    },
    dispose: async () => {
      await Promise.all(handles.map((handle) => handle.close()))
    },
  }
})

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

  it('lets a batch that was given up land late, behind what was appended meanwhile', async () => {
    const log = new MemoryLog()
    const release = log.holdAppends()
    const giveUp = new AbortController()
    const append = log.append([bytes('late')], giveUp.signal)
    giveUp.abort()
    expect(await codeOf(append)).to.equal('ABORTED')
    await log.another().append([bytes('meanwhile')])
    release()
    await log.append([bytes('next')])
    expect(await texts(log, 0)).to.deep.equal(['meanwhile', 'late', 'next'])
  })

  it('loses a batch that was given up, if told so', async () => {
    const log = new MemoryLog()
    const release = log.holdAppends()
    const giveUp = new AbortController()
    const append = log.append([bytes('lost')], giveUp.signal)
    giveUp.abort()
    expect(await codeOf(append)).to.equal('ABORTED')
    release('lost')
    await log.append([bytes('next')])
    expect(await texts(log, 0)).to.deep.equal(['next'])
  })

  it('holds a batch twice whose first acknowledgement was lost; the receipt is that of the second copy', async () => {
    const log = new MemoryLog()
    log.duplicateNextAppend()
    expect(await log.append([bytes('a'), bytes('b')])).to.deep.equal({ baseOffset: 2 })
    expect(await texts(log, 0)).to.deep.equal(['a', 'b', 'a', 'b'])
    expect(await log.append([bytes('c')])).to.deep.equal({ baseOffset: 4 })
  })
})
