/**
 * Reads `sasl.jaas.config` as Java's Kafka clients do: one login module with its options,
 *
 *     org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";
 *
 * Nothing of what it says of the text in an error is the value of an option: that may be a secret.
 */
import { InvalidValue } from './invalid-value.ts'

export interface JaasLogin {
  readonly module: JaasModule
  readonly username: string
  readonly password: string
}

export type JaasModule = keyof typeof MODULES

const MODULES = {
  PlainLoginModule: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  ScramLoginModule: 'org.apache.kafka.common.security.scram.ScramLoginModule',
} as const

const FLAGS = /^(required|requisite|sufficient|optional)$/i

/** @throws InvalidValue */
export function parseJaas(text: string): JaasLogin {
  const tokens = tokensOf(text)
  const className = tokens.shift()
  const module = (Object.keys(MODULES) as JaasModule[]).find((known) => MODULES[known] === className?.word)
  if (module === undefined) throw new InvalidValue(unknownModule(className?.word ?? ''))
  if (!FLAGS.test(tokens.shift()?.word ?? '')) throw new InvalidValue(`"required" is missing after ${module}`)
  const options = optionsOf(tokens)
  if (module === 'ScramLoginModule' && options.get('tokenauth')?.toLowerCase() === 'true') {
    throw new InvalidValue('tokenauth: delegation tokens are not supported')
  }
  const [username, password] = ['username', 'password'].map((name) => {
    const value = options.get(name)
    if (value === undefined) throw new InvalidValue(`the option ${name} is missing`)
    return value
  })
  return { module, username: username ?? '', password: password ?? '' }
}

/** Text that `parseJaas` reads back to the same login. */
export function formatJaas({ module, username, password }: JaasLogin): string {
  return `${MODULES[module]} required username=${quoted(username)} password=${quoted(password)};`
}

function quoted(value: string): string {
  const escaped = value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `"${escaped}"`
}

function unknownModule(className: string): string {
  const name = /^[\w.$]+LoginModule$/.test(className) ? className : 'what it begins with'
  return `${name} is not a login module that this server has`
}

/** Consumes the options and the semicolon after them, which must be the last token. */
function optionsOf(tokens: Token[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (let token = tokens.shift(); token?.mark !== ';'; token = tokens.shift()) {
    if (token === undefined) throw new InvalidValue('the semicolon at the end is missing')
    const [equals, value] = [tokens.shift(), tokens.shift()]
    if (token.word === undefined || equals?.mark !== '=' || value?.word === undefined) {
      throw new InvalidValue('after the flag there may only be options of the form name="value"')
    }
    options.set(token.word, value.word)
  }
  if (tokens.length > 0) throw new InvalidValue('there may be only one login module')
  return options
}

/** Either a word (a quoted one without its quotes) or one of the marks between words. */
interface Token {
  readonly word?: string
  readonly mark?: string
}

const COMMENT = '//[^\\n]*|/\\*[^]*?\\*/'
const TOKEN = new RegExp(
  `\\s+|${COMMENT}|"((?:[^"\\\\\\r\\n]|\\\\.)*)"|'((?:[^'\\\\\\r\\n]|\\\\.)*)'|([\\w$.-]+)|(.)`,
  'gy',
)

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (const [, double, single, bare, mark] of text.matchAll(TOKEN)) {
    const inQuotes = double ?? single
    if (inQuotes !== undefined) tokens.push({ word: unescape(inQuotes) })
    else if (bare !== undefined) tokens.push({ word: bare })
    else if (mark === ';' || mark === '=') tokens.push({ mark })
    else if (mark === '"' || mark === "'") throw new InvalidValue('a quote is not closed')
    else if (mark !== undefined) throw new InvalidValue('a value with special characters must be in quotes')
  }
  return tokens
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  b: '\b',
  a: '\x07',
  v: '\v',
}

/** Those of Java's tokenizer: control characters, octal codes, and any other character for itself. */
function unescape(text: string): string {
  return text.replace(/\\(?:([0-3]?[0-7]{1,2})|(.))/g, (_all, octal: string | undefined, character = '') =>
    octal === undefined
      ? (ESCAPES[character as string] ?? String(character))
      : String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
