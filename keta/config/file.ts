/** Reads a configuration file, .properties or YAML, into settings that know their line. */
import { readFileSync } from 'node:fs'
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { parseProperties } from '../../spi/node/properties.ts'
import type { Problem, Reading, Setting } from './setting.ts'

export type FileFormat = 'properties' | 'yaml'

/** By the name's ending; undefined for any other. */
export function formatOf(path: string): FileFormat | undefined {
  if (/\.properties$/i.test(path)) return 'properties'
  if (/\.ya?ml$/i.test(path)) return 'yaml'
  return undefined
}

/** Never throws: a file that cannot be read is a problem of the start like any other. */
export function readConfigFile(path: string): Reading {
  const format = formatOf(path)
  if (format === undefined) return failed(`${path}: a configuration file ends in .properties, .yaml or .yml`)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error)
    return failed(`${path}: ${reason}`)
  }
  return format === 'properties' ? readPropertiesText(path, text) : readYamlText(path, text)
}

/** `path` is for messages. As in Java, the last of several lines for one key counts; here with a warning. */
export function readPropertiesText(path: string, text: string): Reading {
  const { properties, problems, repeated } = parseProperties(text)
  const settings = [...properties].map(([name, { value, line }]): Setting => {
    return { name, value: value.trim(), source: 'file', where: `${path}:${line}` }
  })
  const told = (all: typeof problems) => all.map(({ line, message }) => `${path}:${line}: ${message}`)
  return { settings, problems: told(problems), warnings: told(repeated) }
}

/** `path` is for messages. Lists become comma-separated texts, nested maps names with dots. */
export function readYamlText(path: string, text: string): Reading {
  const lines = new LineCounter()
  // Without "core" types every scalar stays the text that the user wrote: 010 is not 8, and 1e3 not 1000.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, schema: 'failsafe' })
  const where = (offset: number | undefined): string => `${path}:${lines.linePos(offset ?? 0).line}`
  if (document.errors.length > 0) {
    return {
      settings: [],
      problems: document.errors.map((error) => `${where(error.pos[0])}: ${error.message}`),
      warnings: [],
    }
  }
  const settings: Setting[] = []
  const problems: Problem[] = []

  function collect(name: string, node: Node | null): void {
    const place = where(node?.range?.[0])
    if (node === null) settings.push({ name, value: '', source: 'file', where: place })
    else if (isAlias(node)) collect(name, node.resolve(document) ?? null)
    else if (isScalar(node)) settings.push({ name, value: textOf(node.value), source: 'file', where: place })
    else if (isSeq(node) && node.items.every((item) => isScalar(item))) {
      const value = node.items.map((item) => textOf((item as { value: unknown }).value)).join(',')
      settings.push({ name, value, source: 'file', where: place })
    } else if (isMap(node)) collectMap(`${name}.`, node)
    else problems.push(`${place}: ${name}: expected a single value or a list of values`)
  }

  function collectMap(prefix: string, map: Node): void {
    if (!isMap(map)) return
    for (const { key, value } of map.items) {
      if (isScalar(key)) collect(prefix + textOf(key.value), value as Node | null)
      else problems.push(`${where((key as Node).range?.[0])}: a name must be a text`)
    }
  }

  const root = document.contents
  if (root !== null && !isMap(root) && !(isScalar(root) && textOf(root.value) === '')) {
    return failed(`${path}:1: expected lines of the form "name: value"`)
  }
  if (root !== null) collectMap('', root)
  return { settings, problems, warnings: [] }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function failed(problem: Problem): Reading {
  return { settings: [], problems: [problem], warnings: [] }
}
