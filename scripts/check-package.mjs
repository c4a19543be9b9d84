/**
 * Checks what `npm pack` would publish: every target of `exports` and `bin` is in it and loads under its public name,
 * nothing but what users need is in it.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, setUpOrExit } from './setup.mjs'

const UNWANTED = new RegExp(
  [
    /\.(test|fixture|arbitraries)\./,
    /^dist\/keta\/test\//,
    /^dist\/(keta|backends)\/.*-suite\./,
    /^keta\/|^scripts\/|^node_modules\/|\.tsbuildinfo$/,
  ]
    .map(({ source }) => source)
    .join('|'),
)
/** Folders that become entry points of the package as soon as they exist, with the export that they need. */
const PUBLIC_FOLDERS = { spi: './spi', backends: './backends/*', conformance: './conformance' }

setUpOrExit({ build: true })
/** @type {{ name: string, exports: Record<string, unknown>, bin: Record<string, string> }} */
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
/** @type {{ files: { path: string }[] }[]} */
const packages = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: ROOT, encoding: 'utf8' }))
const packed = new Set(packages.flatMap(({ files }) => files.map(({ path }) => path)))

/** @type {string[]} */
const problems = []

/**
 * @param {unknown} target a string, or conditions with targets
 * @returns {string[]}
 */
function targetsOf(target) {
  return typeof target === 'string' ? [target] : Object.values(/** @type {object} */ (target)).flatMap(targetsOf)
}

/** @param {string} target relative to the package, "*" standing for anything */
function isPacked(target) {
  const path = target.replace(/^\.\//, '')
  const [before = '', after] = path.split('*')
  if (after === undefined) return packed.has(path)
  return [...packed].some((file) => file.startsWith(before) && file.endsWith(after))
}

for (const [name, target] of [...Object.entries(manifest.exports), ...Object.entries(manifest.bin)]) {
  for (const path of targetsOf(target)) {
    if (!isPacked(path)) problems.push(`"${name}" in package.json points to ${path}, which is not in the package`)
  }
}
for (const [name, target] of Object.entries(manifest.exports)) {
  if (typeof target === 'string' || name.includes('*')) continue
  if (!(target instanceof Object && 'types' in target)) problems.push(`export "${name}" has no types`)
  const specifier = join(manifest.name, name)
  await import(specifier).catch((/** @type {unknown} */ error) => {
    problems.push(`import '${specifier}' fails: ${String(error)}`)
  })
}
for (const [folder, name] of Object.entries(PUBLIC_FOLDERS)) {
  const exists = [...packed].some((path) => path.startsWith(`dist/${folder}/`) && path.endsWith('/index.js'))
  if (exists && !(name in manifest.exports)) problems.push(`${folder}/ is built, but "${name}" is not exported`)
}
for (const path of packed) {
  if (UNWANTED.test(path)) problems.push(`${path} has no place in the package`)
}
for (const path of ['LICENSE', 'README.md', 'bin/keta-start']) {
  if (!packed.has(path)) problems.push(`${path} is missing in the package`)
}

for (const problem of problems) console.error(problem)
console.log(`${packed.size} files in the package, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
