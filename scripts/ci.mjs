/**
 * Everything that must hold, from a fresh clone: install, build, every check, every test. Goes on after a failure, so
 * that one run shows all of them, and names them once more at the end. Last line: "N passed, N failed", over checks and
 * tests.
 *
 * The system tests run in two lanes side by side: much of what the backends' tests do is to wait for sessions to end.
 * So do the unit tests and what is shown on the transport that is not the default. What the second lane prints follows
 * when the first one is done. Three nodes of Cassandra then have the machine alone.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Those in one line run side by side. */
const STEPS = [
  [{ name: 'install and build', command: ['node', 'scripts/setup.mjs'] }],
  [{ name: 'checks', command: ['node', 'scripts/check.mjs'] }],
  [
    { name: 'unit tests', command: ['node', 'scripts/test.mjs', 'unit'] },
    { name: 'system tests on grpc-js', command: ['node', 'scripts/test.mjs', 'grpc-js'] },
  ],
  [
    { name: 'system tests of the server and examples', command: ['node', 'scripts/test.mjs', 'server,examples'] },
    { name: 'system tests of the backends', command: ['node', 'scripts/test.mjs', 'backends'] },
  ],
  [{ name: 'system tests on three Cassandra nodes', command: ['node', 'scripts/test.mjs', 'three-nodes'] }],
]

/** Of the ports, for each lane. */
const HALVES = ['lower', 'upper']

const scratch = mkdtempSync(join(tmpdir(), 'keta-ci-'))
let allPassed = 0
/** @type {string[]} */
const allFailed = []
for (const steps of STEPS) {
  const running = steps.map((step, lane) => started(step, lane))
  for (const step of running) {
    console.log(`\n════ ${step.name}`)
    const { passed, failed, seconds, output } = await step.done
    process.stdout.write(output)
    allPassed += passed
    allFailed.push(...failed.map((what) => `${step.name}: ${what}`))
    console.log(`════ ${step.name}: ${passed} passed, ${failed.length} failed (${seconds.toFixed(0)} s)`)
  }
}
rmSync(scratch, { recursive: true, force: true })

for (const what of allFailed) console.log(`\nFAILED ${what}`)
if (allFailed.length > 0) process.exitCode = 1
console.log(`${allPassed} passed, ${allFailed.length} failed`)

/**
 * What a step prints is kept for later but in the first lane.
 * @param {{ name: string, command: string[] }} step
 * @param {number} lane
 */
function started({ name, command }, lane) {
  const [program = '', ...args] = command
  const file = join(scratch, name.replaceAll(' ', '-'))
  const kept = lane > 0 ? openSync(`${file}.log`, 'w') : undefined
  const begun = performance.now()
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ['inherit', kept ?? 'inherit', kept ?? 'inherit'],
    env: { ...process.env, CI: 'true', KETA_TALLY: `${file}.tally`, KETA_PORT_HALF: HALVES[lane] },
  })
  const exited = /** @type {Promise<[number | null]>} */ (once(child, 'exit'))
  const done = exited.then(([status]) => {
    if (kept !== undefined) closeSync(kept)
    const seconds = (performance.now() - begun) / 1000
    const output = kept !== undefined ? readFileSync(`${file}.log`) : ''
    return { ...outcome(`${file}.tally`, status), seconds, output }
  })
  return { name, done }
}

/**
 * What a step has counted. A step that counts nothing is itself one item; one that failed has at least one failure.
 * @param {string} tally
 * @param {number | null} status
 */
function outcome(tally, status) {
  const lines = existsSync(tally) ? readFileSync(tally, 'utf8').trim().split('\n') : []
  /** @type {{ passed: number, failed: string[] }[]} */
  const counted = JSON.parse(`[${lines.join(',')}]`)
  const passed = counted.reduce((sum, line) => sum + line.passed, 0)
  const failed = counted.flatMap((line) => line.failed)
  if (status !== 0 && failed.length === 0) failed.push(status === null ? 'ended by a signal' : `ended with ${status}`)
  return { passed: counted.length === 0 && status === 0 ? 1 : passed, failed }
}
