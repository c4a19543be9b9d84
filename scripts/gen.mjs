/**
 * Generates TypeScript from keta/proto by the template there; `--check` instead fails if what is committed differs from
 * what would be generated. Works without a network: compiler and plugin are installed packages.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { ROOT } from './setup.mjs'

const PROTO = join(ROOT, 'keta/proto')
const GENERATED = join(PROTO, 'gen')

/** @param {readonly string[]} args */
function generate(args) {
  const bin = join(ROOT, 'node_modules/.bin')
  const { status, error } = spawnSync(join(bin, 'buf'), ['generate', ...args], {
    cwd: PROTO,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
  })
  if (error) throw error
  if (status !== 0) throw new Error(`buf generate exited with ${status}`)
}

/**
 * Relative path → content of every file below a folder.
 * @param {string} folder
 */
function filesBelow(folder) {
  if (!existsSync(folder)) return new Map()
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return new Map(
    paths
      .filter((path) => statSync(join(folder, path)).isFile())
      .map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  )
}

function check() {
  const scratch = mkdtempSync(join(tmpdir(), 'keta-gen-'))
  try {
    generate(['--output', scratch])
    const expected = filesBelow(join(scratch, 'gen'))
    const committed = filesBelow(GENERATED)
    const paths = [...new Set([...expected.keys(), ...committed.keys()])].sort()
    const stale = paths.filter((path) => expected.get(path) !== committed.get(path))
    for (const path of stale) console.error(`keta/proto/gen/${path} differs from what its .proto gives: npm run gen`)
    if (expected.size === 0) console.error('nothing was generated: the check has checked nothing')
    if (stale.length > 0 || expected.size === 0) process.exitCode = 1
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

if (!existsSync(join(PROTO, 'buf.gen.yaml'))) console.log('no keta/proto/buf.gen.yaml: nothing to generate')
else if (process.argv.includes('--check')) check()
else generate([])
