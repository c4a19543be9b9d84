/**
 * Sets up a clone: installs the dependencies and builds dist/, each only if it is missing or out of date. Needs
 * nothing but Node and npm. Silent when there is nothing to do. As a program: `node scripts/setup.mjs`; in a program:
 * `setUp()`.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './setup-lock.mjs'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const SOURCES = ['keta', 'spi', 'backends', 'conformance']
const BUILD_INPUTS = ['package.json', 'package-lock.json', 'tsconfig.json', 'config/tsconfig.build.json']
/** What the running program reads besides compiled TypeScript. */
const ASSET = /\.(js|d\.ts|html|css|svg)$/
const TEST = /\.(test|fixture|arbitraries)\.ts$|-suite\.ts$|^keta\/test\//
/** Outside dist/, which a build replaces as a whole. */
const BUILD_STAMP = '.cache/built-from'
const LOCK = '.cache/setup.lock'

/** A step of the set-up did not succeed; what it printed has been shown. */
export class SetUpError extends Error {
  /** @override */
  name = 'SetUpError'
}

/** @param {{ build: boolean }} options */
export function setUp({ build }) {
  const isReady = () => isInstalled() && (!build || isBuilt())
  if (isReady()) return
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  withLock(join(ROOT, LOCK), () => {
    if (!isInstalled()) install()
    if (build && !isBuilt()) compile()
  })
}

/** Whether npm's record of what is in node_modules agrees with the lock file. */
function isInstalled() {
  const record = join(ROOT, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const wanted = readPackages(join(ROOT, 'package-lock.json'))
  const present = readPackages(record)
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true
    return present[path] === undefined ? optional === true : present[path].version === version
  })
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readPackages(file) {
  return /** @type {{ packages: Record<string, { version?: string, optional?: boolean }> }} */ (
    JSON.parse(readFileSync(file, 'utf8'))
  ).packages
}

function install() {
  console.error('keta: installing dependencies (npm ci)')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}

function isBuilt() {
  const stamp = join(ROOT, BUILD_STAMP)
  return existsSync(join(ROOT, 'dist')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceDigest()
}

/** Compiles into a new directory and swaps it in, so that dist/ is always one whole build without left-overs. */
function compile() {
  console.error('keta: building dist/')
  const digest = sourceDigest()
  const fresh = join(ROOT, 'dist.new')
  rmSync(fresh, { recursive: true, force: true })
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  run(process.execPath, [compiler, '-p', 'config/tsconfig.build.json', '--outDir', fresh])
  for (const path of sourceFiles()) {
    if (ASSET.test(path)) cpSync(join(ROOT, path), join(fresh, path))
  }
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  renameSync(fresh, join(ROOT, 'dist'))
  writeFileSync(join(ROOT, BUILD_STAMP), digest)
}

/** Changes whenever a file that dist/ is made of is added, removed or edited. */
function sourceDigest() {
  const hash = createHash('sha256').update(process.version)
  for (const path of [...BUILD_INPUTS, ...sourceFiles()]) {
    hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)))
  }
  return hash.digest('hex')
}

function sourceFiles() {
  return SOURCES.filter((folder) => existsSync(join(ROOT, folder)))
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
    )
    .filter((path) => (ASSET.test(path) || path.endsWith('.ts')) && !TEST.test(path))
    .filter((path) => statSync(join(ROOT, path)).isFile())
    .sort()
}

/**
 * Runs a step; its output goes to standard error, which keeps standard output for the program that is set up.
 * @param {string} command
 * @param {readonly string[]} args
 */
function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (error) throw new SetUpError(`cannot run ${command}: ${error.message}`, { cause: error })
  if (status !== 0) throw new SetUpError(`${[command, ...args].join(' ')} failed`)
}

/** For programs: says what failed in one line, and ends. @param {{ build: boolean }} options */
export function setUpOrExit(options) {
  try {
    setUp(options)
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    console.error(`keta: set-up: ${error.message}`)
    process.exit(1)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUpOrExit({ build: true })
