/**
 * Runs the import rules of config/dependency-cruiser.js over the tree.
 * Seeing nothing is a failure too: a compiler that the tool cannot use makes it report "0 modules, no violations".
 */
import { existsSync } from 'node:fs'
import { cruise } from 'dependency-cruiser'
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config'
import { forbidden, options } from '../config/dependency-cruiser.js'

/** Their declared type wants of each rule what only some kinds of rules have. */
const rules = /** @type {import('dependency-cruiser').IForbiddenRuleType[]} */ (/** @type {unknown} */ (forbidden))
const ROOTS = ['keta', 'spi', 'backends', 'conformance', 'bench', 'test-servers', 'examples'].filter((root) =>
  existsSync(root),
)

const { output } = await cruise(ROOTS, { ...options, validate: true, ruleSet: { forbidden: rules } }, undefined, {
  tsConfig: extractTSConfig('tsconfig.json'),
})
if (typeof output === 'string') throw new Error('dependency-cruiser gave a report where its result was asked for')

const modules = output.modules.filter(
  (module) => /\.ts$/.test(module.source) && !module.source.includes('node_modules'),
)
const imports = modules.reduce((sum, module) => sum + module.dependencies.length, 0)
for (const { rule, from, to, cycle } of output.summary.violations) {
  const comment = forbidden.find(({ name }) => name === rule.name)?.comment
  const path = cycle ? cycle.map(({ name }) => name).join(' → ') : to
  console.error(`${from} → ${path}\n    ${rule.name}${comment ? `: ${comment}` : ''}`)
}
const problems = output.summary.violations.length
console.log(`${modules.length} modules, ${imports} imports, ${problems} violations`)
if (modules.length === 0 || imports === 0) {
  console.error('no TypeScript modules or no imports were seen: the rules have checked nothing')
  process.exitCode = 1
}
if (problems > 0) process.exitCode = 1
