import { expect } from 'chai'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CompiledProgram } from '../../test/kill-nine-compile.ts'
import { compileForNode } from '../../test/kill-nine-compile.ts'
import { LogError } from '../log.ts'
import { openDataDir } from './data-dir.ts'

describe('data directory', () => {
  let parent: string
  let directory: string
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'keta-data-'))
    directory = join(parent, 'new', 'data')
  })
  afterEach(() => rmSync(parent, { recursive: true }))

  it('is made for its owner alone, with everything in it', () => {
    const opened = openDataDir(directory)
    expect(opened.isNew).to.equal(true)
    expect(statSync(directory).mode & 0o777).to.equal(0o700)
    expect(readdirSync(directory).sort()).to.deep.equal(['lock', 'log', 'meta.json', 'snap'])
    opened.close()
    expect(readdirSync(directory)).not.to.include('lock')
  })

  it('keeps its ids for life', () => {
    const first = openDataDir(directory)
    first.close()
    const second = openDataDir(directory)
    second.close()
    expect(second.isNew).to.equal(false)
    for (const id of ['logId', 'clusterId', 'memberId'] as const) {
      expect(second[id]).to.deep.equal(first[id])
    }
    expect(first.clusterId > 0n && first.clusterId < 2n ** 63n && first.clusterId !== first.memberId).to.equal(true)
  })

  it('is refused a second time, naming the process, the time and the directory', () => {
    const first = openDataDir(directory)
    const { code, message } = refusal(directory)
    expect(code).to.equal('LOCKED')
    expect(message)
      .to.contain(`process ${process.pid}`)
      .and.contain(directory)
      .and.match(/locked it at \d{4}-\d\d-\d\dT/)
    first.close()
    openDataDir(directory).close()
  })

  it('is refused when a newer release wrote it, and unlocked again', () => {
    openDataDir(directory).close()
    const meta = join(directory, 'meta.json')
    writeFileSync(meta, readFileSync(meta, 'utf8').replace('"formatVersion": 1', '"formatVersion": 2'))
    expect(refusal(directory).message).to.match(/format version 2, written by a newer release/)
    expect(readdirSync(directory)).not.to.include('lock')
  })

  it('is refused when its identity is gone but its log is not', () => {
    openDataDir(directory).close()
    rmSync(join(directory, 'meta.json'))
    expect(refusal(directory).message).to.match(/not empty \(log, snap\) and has no meta.json/)
  })

  it("is refused when it is somebody else's directory", () => {
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'thesis.doc'), '')
    expect(refusal(directory).message).to.match(/thesis\.doc/)
  })

  it('is taken over from a process that had the same number as a living one', () => {
    mkdirSync(directory, { recursive: true })
    const claim = { id: 'x', pid: process.pid, start: 'another boot/1', since: '2001-01-01T00:00:00.000Z' }
    writeFileSync(join(directory, 'lock'), JSON.stringify(claim))
    openDataDir(directory).close()
  })

  it('is not taken over when the lock file says nothing', () => {
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'lock'), '')
    expect(refusal(directory).message).to.match(/not a lock file.*delete this file/)
  })
})

describe('data directory lock between processes', () => {
  const PROCESSES = 8
  let program: CompiledProgram
  let directory: string
  let running: ChildProcess[]
  before(() => {
    program = compileForNode(fileURLToPath(new URL('lock-child.fixture.ts', import.meta.url)))
  })
  after(() => program.dispose())
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keta-lock-'))
    running = []
  })
  afterEach(async () => {
    await Promise.all(running.map(kill))
    rmSync(directory, { recursive: true })
  })

  it('goes to exactly one of eight that start together, new and after kill -9 of the holder', async () => {
    for (let round = 0; round < 3; round++) {
      const contenders = await Promise.all(Array.from({ length: PROCESSES }, startContender))
      const answers = await Promise.all(contenders.map((contender) => contender.tryToLock()))
      const expected = ['locked', ...Array.from({ length: PROCESSES - 1 }, () => 'LOCKED')]
      expect(answers.toSorted().reverse()).to.deep.equal(expected)
      await Promise.all(running.map(kill))
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).to.deep.equal(['lock'])
    openDataDir(directory).close()
  })

  async function startContender(): Promise<{ tryToLock(): Promise<string> }> {
    const child = spawn(process.execPath, [program.path, directory], { stdio: ['pipe', 'pipe', 'inherit'] })
    running.push(child)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).to.equal('ready')
    return {
      async tryToLock() {
        child.stdin.write('go\n')
        return String((await lines.next()).value)
      },
    }
  }
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

function refusal(directory: string): LogError {
  try {
    openDataDir(directory).close()
  } catch (error) {
    if (error instanceof LogError) {
      return error
    }
    throw error
  }
  throw new Error('opened')
}
