/** What the reaper does for a test run that can no longer do it itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'

const REAPER = new URL('./reaper.ts', import.meta.url).href

describe('the reaper', () => {
  it('ends the guarded groups and removes the guarded directories of a run that is killed', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keta-test-reaper-'))
    const run = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', killedRun(directory)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    run.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await once(run, 'close')
    const [guarded = 0, released = 0] = output.split(' ').map(Number)
    await until(() => !isAlive(guarded) && !existsSync(directory))
    expect(isAlive(released), 'a released group is left alone').to.equal(true)
    process.kill(released, 'SIGKILL')
  })
})

/** A program that guards one of two processes and a directory, and then dies by SIGKILL. */
function killedRun(directory: string): string {
  return `
    const { guardDirectory, guardGroup, releaseGroup } = await import(${JSON.stringify(REAPER)})
    const { spawn } = await import('node:child_process')
    const sleep = () => spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).pid
    const [guarded, released] = [sleep(), sleep()]
    for (const pid of [guarded, released]) guardGroup(pid)
    releaseGroup(released)
    guardDirectory(${JSON.stringify(directory)})
    process.stdout.write(guarded + ' ' + released, () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100))
  `
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true in 5 s')
    await delay(20)
  }
}
