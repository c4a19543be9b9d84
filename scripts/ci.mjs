/**
 * Everything that must hold, from a fresh clone: install, build, every check, every test. Goes on after a failure, so
 * that one run shows all of them. Last line: "N passed, N failed", over checks and tests.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const STEPS = [
  { name: 'install and build', command: ['node', 'scripts/setup.mjs'] },
  { name: 'checks', command: ['node', 'scripts/check.mjs'] },
  { name: 'unit tests', command: ['node', 'scripts/test.mjs', 'unit'] },
  { name: 'system tests', command: ['node', 'scripts/test.mjs', 'system'] },
]

const scratch = mkdtempSync(join(tmpdir(), 'keta-ci-'))
const total = { passed: 0, failed: 0 }
for (const [index, { name, command }] of STEPS.entries()) {
  const [program = '', ...args] = command
  const tally = join(scratch, `tally-${index}`)
  const begun = Date.now()
  console.log(`\n════ ${name}`)
  const { status } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, CI: 'true', KETA_TALLY: tally },
  })
  const { passed, failed } = outcome(tally, status)
  total.passed += passed
  total.failed += failed
  console.log(`════ ${name}: ${passed} passed, ${failed} failed (${((Date.now() - begun) / 1000).toFixed(0)} s)`)
}
rmSync(scratch, { recursive: true, force: true })

if (total.failed > 0) process.exitCode = 1
console.log(`${total.passed} passed, ${total.failed} failed`)

/**
 * What a step has counted. A step that counts nothing is itself one item; one that failed has at least one failure.
 * @param {string} tally
 * @param {number | null} status
 */
function outcome(tally, status) {
  const lines = existsSync(tally) ? readFileSync(tally, 'utf8').trim().split('\n') : []
  /** @type {(typeof total)[]} */
  const counted = JSON.parse(`[${lines.join(',')}]`)
  const passed = counted.reduce((sum, line) => sum + line.passed, 0)
  const failed = counted.reduce((sum, line) => sum + line.failed, 0)
  if (status !== 0) return { passed, failed: Math.max(failed, 1) }
  return counted.length === 0 ? { passed: 1, failed } : { passed, failed }
}
