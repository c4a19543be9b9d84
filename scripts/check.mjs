/**
 * Runs every check, also after one has failed, and says at the end which failed: `node scripts/check.mjs [name …]`.
 * Each is a script of its own in package.json: `npm run check:lint`.
 */
import { spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { ROOT, setUpOrExit } from './setup.mjs'

const CHECKS = ['types', 'lint', 'format', 'imports', 'dead-code', 'tidy', 'gen', 'package']

const names = process.argv.length > 2 ? process.argv.slice(2) : CHECKS
setUpOrExit({ build: false })

const failed = names.filter((name) => {
  const begun = Date.now()
  console.log(`\n── check:${name}`)
  const { status } = spawnSync('npm', ['run', '--silent', `check:${name}`], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, KETA_TALLY: '' },
  })
  console.log(`── check:${name} ${status === 0 ? 'passed' : 'FAILED'} (${((Date.now() - begun) / 1000).toFixed(1)} s)`)
  return status !== 0
})

const passed = names.length - failed.length
console.log(`\nchecks: ${passed} passed, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`)
const tally = process.env['KETA_TALLY']
if (tally) appendFileSync(tally, `${JSON.stringify({ passed, failed })}\n`)
if (failed.length > 0) process.exitCode = 1
