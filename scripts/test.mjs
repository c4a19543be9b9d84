/**
 * Runs tests: `node scripts/test.mjs [unit|system|soak] [mocha's arguments]`; without a group, all but the soak.
 * unit: the tests beside the code. system: real processes and servers, against a fresh build. soak: system, at full
 * length.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, setUpOrExit } from './setup.mjs'

const GROUPS = {
  unit: [
    '{keta,keta/!(test)/**,spi/**,backends/**,conformance/**,bench/**,scripts/**,examples/**}/!(*.system).test.ts',
  ],
  system: ['{keta/test,test-servers}/**/*.test.ts', '{keta/!(test),backends,bench,examples}/**/*.system.test.ts'],
}

const [first, ...rest] = process.argv.slice(2)
const isGroup = first === 'unit' || first === 'system' || first === 'soak'
const group = isGroup ? first : 'all'
const mochaArguments = isGroup || first === undefined ? rest : [first, ...rest]

const specs = group === 'all' ? [...GROUPS.unit, ...GROUPS.system] : GROUPS[group === 'unit' ? 'unit' : 'system']
setUpOrExit({ build: group !== 'unit' })

const forbidSkips = process.env['CI'] === 'true' ? ['--forbid-pending'] : []
const { status, signal } = spawnSync(
  process.execPath,
  [join(ROOT, 'node_modules/mocha/bin/mocha.js'), ...forbidSkips, ...mochaArguments, ...specs],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: group === 'soak' ? { ...process.env, KETA_SCALE: 'full' } : process.env,
  },
)
if (signal !== null) console.error(`mocha was ended by ${signal}`)
process.exitCode = status ?? 1
