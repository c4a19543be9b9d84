import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { pauseProcess } from './pause-process.ts'

/** Threads that are always about to run, on a machine that has always something else to run. */
const THREADS = `
  const { Worker } = require('node:worker_threads')
  const turn = 'for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.2)'
  for (let count = 0; count < 6; count++) new Worker(turn, { eval: true })
  setTimeout(() => process.stdout.write('runs'), 200)
  setInterval(() => {}, 1)
`
const BURNERS = 4
const ROUNDS = 20

describe('a process that is paused', function () {
  this.timeout(60_000)
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  it('stands with all its threads when pauseProcess returns', async function () {
    if (process.platform !== 'linux') this.skip()
    const { child, pid } = start(THREADS)
    if (child.stdout !== null) await once(child.stdout, 'data')
    for (let count = 0; count < BURNERS; count++) start('for (;;);')
    for (let round = 0; round < ROUNDS; round++) {
      pauseProcess(pid)
      expect(statesOf(pid)).to.deep.equal(['T'])
      child.kill('SIGCONT')
    }
  })

  it('need not be there any more', async () => {
    const { child, pid } = start('')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(() => pauseProcess(pid))
      .to.throw()
      .with.property('code', 'ESRCH')
  })

  function start(program: string): { readonly child: ChildProcess; readonly pid: number } {
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return { child, pid: child.pid ?? expect.fail('it did not start') }
  }
})

function statesOf(pid: number): readonly string[] {
  const stats = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'),
  )
  return [...new Set(stats.map((stat) => stat.charAt(stat.lastIndexOf(')') + 2)))]
}
