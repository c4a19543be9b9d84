/** The rules of style that no other tool checks. Each takes a file and gives its violations as lines to read. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import ts from 'typescript'

export interface SourceFile {
  /** Relative to the root of the repository. */
  readonly path: string
  readonly text: string
}

export type Rule = (file: SourceFile) => readonly string[]

const LINES_MAX = 500
const FUNCTION_LINES_MAX = 70
const COLUMNS_MAX = 120

const CODE = /\.(ts|mjs|js)$/
const COMMENTED = /\.(ts|mjs|js|proto|sh|go)$/
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/
const SHOUTED = /^(README|ARCHITECTURE|CONTRIBUTING|CHANGELOG|LICENSE|Dockerfile|Makefile)(\.md)?$/
const VAGUE = /^(utils?|helpers?|misc|common)\.(ts|mjs|js)$/

// Written so that this file does not contain what it looks for.
const UNFINISHED = /\b(TO[D]O|FIX[M]E|X[X]X)\b/
const EXCLUSIVE = /\b(describe|context|it|specify|suite|test)\s*\.\s*onl[y]\s*\(/
const PLACES = [
  /registry\.npm[j]s\.org/,
  /registry\.yarn[p]kg\.com/,
  /proxy\.gol[a]ng\.org/,
  /(?<![\w.$}-])\/(work|root)[/]/,
]

/** Mocha's functions: what they are given is as long as the suite. */
const SUITES = new Set(['describe', 'context', 'it', 'specify', 'before', 'beforeEach', 'after', 'afterEach'])

export const RULES: Readonly<Record<string, Rule>> = {
  'files have at most 500 lines': fileLength,
  'functions have at most 70 lines': functionLength,
  'lines of code have at most 120 columns': lineLength,
  'a file begins by saying what it is about': header,
  'nothing is left unfinished': ({ path, text }) => matches(path, text, UNFINISHED),
  'no test excludes the others': ({ path, text }) => (CODE.test(path) ? matches(path, text, EXCLUSIVE) : []),
  'nothing names a package host or a place on one machine': places,
  'names are in kebab-case': fileName,
  'names say what is inside': ({ path }) => (VAGUE.test(basename(path)) ? [`${path}: name it by its one subject`] : []),
}

function fileLength({ path, text }: SourceFile): readonly string[] {
  if (!CODE.test(path)) return []
  const lines = text.trimEnd().split('\n').length
  return lines > LINES_MAX ? [`${path}: ${lines} lines`] : []
}

function lineLength({ path, text }: SourceFile): readonly string[] {
  if (!COMMENTED.test(path)) return []
  return text.split('\n').flatMap((line, index) => {
    const columns = Array.from(line).length
    return columns > COLUMNS_MAX ? [`${path}:${index + 1}: ${columns} columns`] : []
  })
}

function functionLength({ path, text }: SourceFile): readonly string[] {
  if (!CODE.test(path)) return []
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const violations: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && !isSuite(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line
      const lines = source.getLineAndCharacterOfPosition(node.end).line - first + 1
      if (lines > FUNCTION_LINES_MAX) violations.push(`${path}:${first + 1}: function of ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return violations
}

/** A callback of describe, it and the like, or a function that calls them: a suite to be called with its subject. */
function isSuite(node: ts.SignatureDeclaration): boolean {
  if (ts.isCallExpression(node.parent) && isMochaCall(node.parent)) return true
  if (!('body' in node) || node.body === undefined || !ts.isBlock(node.body)) return false
  return node.body.statements.some(
    (statement) =>
      ts.isExpressionStatement(statement) &&
      ts.isCallExpression(statement.expression) &&
      isMochaCall(statement.expression),
  )
}

function isMochaCall({ expression }: ts.CallExpression): boolean {
  const callee = ts.isPropertyAccessExpression(expression) ? expression.expression : expression
  return ts.isIdentifier(callee) && SUITES.has(callee.text)
}

function header({ path, text }: SourceFile): readonly string[] {
  const body = text.replace(/^#!.*\n/, '')
  if (path.endsWith('.md')) {
    return /^(#\s\S|<)/.test(body) ? [] : [`${path}: begins without a title`]
  }
  // x.test.ts is about x.ts, and its suites say the rest.
  if (!COMMENTED.test(path) || path.endsWith('.test.ts')) return []
  return /^(\/\*\*?\s+\S|\/\/\s*\S|#\s*\S)/.test(body) ? [] : [`${path}: begins without a comment`]
}

function places({ path, text }: SourceFile): readonly string[] {
  return PLACES.flatMap((pattern) => matches(path, text, pattern))
}

function matches(path: string, text: string, pattern: RegExp): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = pattern.exec(line)
    return found ? [`${path}:${index + 1}: ${found[0]}`] : []
  })
}

function fileName({ path }: SourceFile): readonly string[] {
  const name = basename(path)
  return KEBAB.test(name) || SHOUTED.test(name) ? [] : [`${path}: not in kebab-case`]
}

/** Links between the repository's own documents: the file exists, and so does the heading. */
export function brokenLinks(root: string, { path, text }: SourceFile): readonly string[] {
  if (!path.endsWith('.md')) return []
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
  const targets = Array.from(prose.matchAll(/\]\(([^)\s]+)[^)]*\)/g), ([, target = '']) => target)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => !resolves(root, path, target))
    .map((target) => `${path}: link to ${target}`)
}

function resolves(root: string, from: string, target: string): boolean {
  const [relative = '', anchor] = target.split('#')
  const file = relative === '' ? join(root, from) : join(root, dirname(from), decodeURI(relative))
  if (!existsSync(file)) return false
  if (anchor === undefined || !file.endsWith('.md') || !statSync(file).isFile()) return true
  return headingAnchors(readFileSync(file, 'utf8')).includes(anchor)
}

/** Anchors as GitHub makes them. */
function headingAnchors(markdown: string): readonly string[] {
  return Array.from(markdown.matchAll(/^#+\s+(.*)$/gm), ([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  )
}
