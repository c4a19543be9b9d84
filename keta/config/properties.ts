/**
 * Reads Java .properties text: `key=value`, `key: value` or `key value`, comments with `#` or `!`, a backslash at the
 * end of a line to continue on the next, and the escapes `\t \n \r \f \uXXXX` (a backslash before any other character
 * stands for that character).
 */

export interface Property {
  readonly key: string
  readonly value: string
  /** Number of the line on which it begins, from 1. */
  readonly line: number
}

/** The text cannot be read as properties. */
export class PropertiesError extends Error {
  override readonly name = 'PropertiesError'
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** All properties in the order of the text, duplicates included. @throws PropertiesError for a malformed \uXXXX. */
export function readProperties(text: string): readonly Property[] {
  return logicalLines(text).map(({ content, line }) => {
    const keyEnd = endOfKey(content)
    const [separator = ''] = /^[ \t\f]*[=:]?[ \t\f]*/.exec(content.slice(keyEnd)) ?? []
    return {
      key: unescape(content.slice(0, keyEnd), line),
      value: unescape(content.slice(keyEnd + separator.length), line),
      line,
    }
  })
}

interface LogicalLine {
  readonly content: string
  readonly line: number
}

/** Lines without comments, blank lines and leading blanks; continued lines joined. */
function logicalLines(text: string): readonly LogicalLine[] {
  const physical = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  const logical: LogicalLine[] = []
  for (let index = 0; index < physical.length; index++) {
    const line = index + 1
    let content = trimStart(physical[index])
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue
    while (isContinued(content)) {
      index++
      content = content.slice(0, -1) + trimStart(physical[index])
    }
    if (content !== '') logical.push({ content, line })
  }
  return logical
}

function trimStart(line = ''): string {
  return line.replace(/^[ \t\f]+/, '')
}

/** An odd number of backslashes at the end: the last one is not itself escaped. */
function isContinued(content: string): boolean {
  const [backslashes = ''] = /\\*$/.exec(content) ?? []
  return backslashes.length % 2 === 1
}

/** Index of the first separator that no backslash protects. */
function endOfKey(content: string): number {
  for (let index = 0; index < content.length; index++) {
    const character = content.charAt(index)
    if (character === '\\') index++
    else if ('=: \t\f'.includes(character)) return index
  }
  return content.length
}

const ESCAPED: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescape(text: string, line: number): string {
  return text.replace(/\\(u.{0,4}|[^u])/gs, (_, escape: string) => {
    if (!escape.startsWith('u')) return ESCAPED[escape] ?? escape
    if (!/^u[0-9a-fA-F]{4}$/.test(escape)) throw new PropertiesError(line, `\\${escape} is not \\u and four hex digits`)
    return String.fromCharCode(parseInt(escape.slice(1), 16))
  })
}
