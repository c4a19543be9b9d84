import { expect } from 'chai'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from 'keta/spi'
import { Log } from './log.ts'
import { createLog, createSegment, listSegments } from './segments.ts'
import { State } from './state.ts'

describe('a log of files', () => {
  const logs: Log[] = []
  let directory: string
  let folder: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keta-log-'))
    folder = join(directory, 'one')
    await createLog(directory, 'one')
  })
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()))
    await rm(directory, { recursive: true })
  })

  function open(segmentFiles = 1000): Log {
    const log = new Log({ folder, clock: systemClock, segmentFiles, onChange: () => undefined })
    logs.push(log)
    return log
  }
  const call = { signal: new AbortController().signal, timeoutMs: 15_000 }
  const add = async (log: Log) => {
    const session = randomUUID()
    await log.append({ does: 'open', session, ttlMs: 1000 }, call)
    return session
  }

  it('keeps what many have written at once, in one order, through snapshots', async () => {
    const writers = [open(3), open(3), open(3), open(3)]
    const write = async (log: Log) => {
      const written: string[] = []
      for (let round = 0; round < 10; round++) written.push(...(await Promise.all([add(log), add(log)])))
      return written
    }
    const written = (await Promise.all(writers.map(write))).flat()
    const reader = open()
    await Promise.all([...writers, reader].map((log) => log.sync()))
    expect([...reader.state.sessions.keys()]).to.have.members(written)
    for (const { state } of writers) expect(state).to.deep.equal(reader.state)
    expect(await listSegments(folder)).to.have.lengthOf(2)
  })

  it('does not lose what one writes who was away while his segment was removed', async () => {
    const away = open()
    const first = await add(away)
    const other = open()
    await add(other)
    await other.seal()
    await other.seal()
    await add(other)
    const last = await add(away)
    await other.sync()
    expect([...other.state.sessions.keys()])
      .to.include.members([first, last])
      .and.have.lengthOf(4)
    expect(away.state).to.deep.equal(other.state)
  })

  it('does not bring back a segment that was removed', async () => {
    const log = open()
    for (let time = 0; time < 3; time++) {
      await add(log)
      await log.seal()
    }
    const before = await readdir(folder)
    expect(before).to.not.include('0000000000000000').and.not.include('0000000000000001')
    await createSegment(folder, 0, 1, new State())
    expect(await readdir(folder)).to.deep.equal(before)
  })
})
