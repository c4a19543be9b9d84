/**
 * Java `.properties` text, as `java.util.Properties` reads it: continuation lines, escapes, any of `=`, `:` and blank
 * between name and value. Stands alone: no other file of this folder is needed. The text is Unicode (Java's reader);
 * a file is UTF-8.
 */

export interface Property {
  readonly value: string
  /** The line that it begins on, from 1. */
  readonly line: number
}

export interface PropertiesFile {
  /** By name, in the order of their first lines; of a repeated name the last one counts, as in Java. */
  readonly properties: ReadonlyMap<string, Property>
  /** What Java's reader would refuse. */
  readonly problems: readonly PropertiesProblem[]
  /** Names given more than once. */
  readonly repeated: readonly PropertiesProblem[]
}

export interface PropertiesProblem {
  readonly line: number
  readonly message: string
}

/** Never throws: `problems` has all of them. */
export function parseProperties(text: string): PropertiesFile {
  const properties = new Map<string, Property>()
  const problems: PropertiesProblem[] = []
  const repeated: PropertiesProblem[] = []
  for (const { line, text: logical } of logicalLines(text)) {
    const end = endOfName(logical)
    const name = unescape(logical.slice(0, end))
    const value = unescape(logical.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, ''))
    if (name === undefined || value === undefined) {
      problems.push({ line, message: 'malformed \\u escape: four hexadecimal digits must follow' })
      continue
    }
    const earlier = properties.get(name)
    if (earlier !== undefined) {
      repeated.push({ line, message: `${name} stands on line ${earlier.line} too; this one counts` })
    }
    properties.set(name, { value, line })
  }
  return { properties, problems, repeated }
}

interface LogicalLine {
  readonly line: number
  readonly text: string
}

/** Lines without comments and blank ones, continuations joined; escapes are still in them. */
function* logicalLines(text: string): Generator<LogicalLine> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; at++) {
    let joined = withoutIndent(lines[at])
    // a comment does not continue, whatever it ends with
    if (joined === '' || joined.startsWith('#') || joined.startsWith('!')) continue
    const line = at + 1
    while (endsInContinuation(joined)) {
      at++
      joined = joined.slice(0, -1) + withoutIndent(lines[at])
    }
    // nothing but continued blanks is a blank line
    if (joined !== '') yield { line, text: joined }
  }
}

function withoutIndent(line = ''): string {
  return line.replace(/^[ \t\f]+/, '')
}

/** An odd number of backslashes: of an even one the last is escaped. */
function endsInContinuation(line: string): boolean {
  return (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1
}

function endOfName(logical: string): number {
  for (let at = 0; at < logical.length; at++) {
    const character = logical.charAt(at)
    if (character === '\\') at++
    else if (/[=: \t\f]/.test(character)) return at
  }
  return logical.length
}

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([^])|$)/g
/** A \u, the backslash of which is not itself escaped, without its digits. */
const MALFORMED = /^(?:[^\\]|\\[^u]|\\u[0-9a-fA-F]{4})*\\u(?![0-9a-fA-F]{4})/
const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/** undefined if a \u escape is malformed. An unknown escape is the character itself, as in Java. */
function unescape(text: string): string | undefined {
  const plain = text.replace(ESCAPE, (_all, hex: string | undefined, character: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    return character === undefined ? '' : (ESCAPES[character] ?? character)
  })
  return MALFORMED.test(text) ? undefined : plain
}
