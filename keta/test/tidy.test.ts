/** Style as a test: runs the rules of tidy-rules.ts over the tree, and each of them over an example that breaks it. */
import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brokenLinks, RULES, type SourceFile } from './tidy-rules.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDERS = ['keta', 'spi', 'backends', 'conformance', 'bench', 'test-servers', 'scripts', 'docs', 'config', 'bin']
const SINGLE_FILES = ['README.md', 'package.json', 'package-lock.json', 'tsconfig.json', '.ci/run']
/** Generated, or fetched. */
const FOREIGN = /(^|\/)(node_modules|dist|\.cache|coverage)\/|^keta\/proto\/gen\/|\.sum$/
const TEXT = /\.(ts|mjs|js|json|md|sh|go|mod|proto|ya?ml|properties|html|css|svg)$|^(bin|\.ci)\//

/** Of each rule, a file that it must find fault with. */
const BREAKS: Readonly<Record<string, SourceFile>> = {
  'files have at most 500 lines': { path: 'a.ts', text: 'x\n'.repeat(501) },
  'functions have at most 70 lines': { path: 'a.ts', text: `const f = () => {\n${'x()\n'.repeat(70)}}` },
  'lines of code have at most 120 columns': { path: 'a.ts', text: 'x'.repeat(121) },
  'a file begins by saying what it is about': { path: 'a.ts', text: "import 'x'\n/** Late. */" },
  'nothing is left unfinished': { path: 'a.md', text: '# A\nTO'.concat('DO: more') },
  'no test excludes the others': { path: 'a.test.ts', text: '/** A. */\n  it.'.concat("only('x', () => {})") },
  'nothing names a package host or a place on one machine': {
    path: 'a.json',
    text: '{ "x": "/'.concat('work/main" }'),
  },
  'names are in kebab-case': { path: 'keta/keyIndex.ts', text: '' },
  'names say what is inside': { path: 'keta/bytes/utils.ts', text: '' },
}

describe('tidy', () => {
  const files = sourceFiles()

  it('sees the tree', () => {
    expect(files.map(({ path }) => path)).to.include.members(['keta/bytes/key.ts', 'scripts/setup.mjs', 'package.json'])
  })

  for (const [name, rule] of Object.entries(RULES)) {
    it(name, () => {
      expect(files.flatMap(rule).join('\n')).to.equal('')
    })

    it(`notices when it is not so that ${name}`, () => {
      const example = BREAKS[name] ?? expect.fail('no example')
      expect(rule(example)).to.have.lengthOf(1)
    })
  }

  it('links in documents lead somewhere', () => {
    expect(files.flatMap((file) => brokenLinks(ROOT, file)).join('\n')).to.equal('')
  })

  it('notices links that lead nowhere', () => {
    const text = '[a](nowhere.md) [b](#none) [c](../package.json) [d](https://example.org/x) [e](#here)\n# Here'
    expect(
      brokenLinks(ROOT, { path: 'docs/CONTRIBUTING.md', text: text.replace('#here', 'CONTRIBUTING.md#nothing') }),
    ).to.have.lengthOf(3)
  })

  it('lets suites be as long as their tests', () => {
    const rule = RULES['functions have at most 70 lines'] ?? expect.fail('no such rule')
    const tests = "it('x', () => {})\n".repeat(80)
    expect(rule({ path: 'a.test.ts', text: `describe('x', () => {\n${tests}})` })).to.deep.equal([])
    expect(rule({ path: 'a-suite.ts', text: `export function suite() {\n${tests}}` })).to.deep.equal([])
  })
})

function sourceFiles(): readonly SourceFile[] {
  const inFolders = FOLDERS.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`),
  )
  return [...inFolders, ...SINGLE_FILES]
    .filter((path) => TEXT.test(path) && !FOREIGN.test(path) && existsSync(join(ROOT, path)))
    .filter((path) => statSync(join(ROOT, path)).isFile())
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}
