/**
 * The tokens of a JSON value that is known to be JSON. Still wrong can be only what JSON's grammar leaves open: bytes
 * that are not UTF-8, and halves of surrogate pairs.
 */
import { isUtf8 } from 'node:buffer'

/** The text is what etcd's gateway says of such a request. */
export class JsonMismatch extends Error {
  override readonly name = 'JsonMismatch'
}

export interface Token {
  readonly kind: '{' | '}' | '[' | ']' | 'string' | 'number' | 'true' | 'false' | 'null'
  /** As it stands in the value. */
  readonly raw: string
  /** Of a string: what it means. */
  readonly text: string
  /** Index of its first byte. */
  readonly position: number
}

const PLAIN_END = /[\s,:{}[\]"]/
const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Escapes, of which a half of a pair that stands alone is captured. */
const ESCAPES = /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([dD][89a-fA-F][0-9a-fA-F]{2})|\\./g
const ESCAPE_BYTES = 6

export class JsonText {
  readonly #bytes: Buffer
  /** One character per byte, so that positions are those of bytes. */
  readonly #text: string
  readonly #valid: boolean
  #position = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#text = bytes.toString('latin1')
    this.#valid = isUtf8(bytes)
  }

  /** Whether the next token, which is not read and may be wrong yet, begins so: "n" for null, "]". */
  begins(character: string): boolean {
    this.#position = this.#pastSeparators(this.#position)
    return this.#text.charAt(this.#position) === character
  }

  read(): Token {
    this.#position = this.#pastSeparators(this.#position)
    const position = this.#position
    const first = this.#text.charAt(position)
    if (first === '"') return this.#string(position)
    if (first === '{' || first === '}' || first === '[' || first === ']') {
      this.#position++
      return { kind: first, raw: first, text: '', position }
    }
    let end = position
    while (end < this.#text.length && !PLAIN_END.test(this.#text.charAt(end))) end++
    this.#position = end
    const raw = this.#text.slice(position, end)
    return { kind: raw === 'true' || raw === 'false' || raw === 'null' ? raw : 'number', raw, text: '', position }
  }

  /** Passes over one value. */
  skip(): void {
    let depth = 0
    do {
      const { kind } = this.read()
      if (kind === '{' || kind === '[') depth++
      else if (kind === '}' || kind === ']') depth--
    } while (depth > 0)
  }

  mismatch(position: number, problem: string): JsonMismatch {
    return new JsonMismatch(`proto: ${this.#place(position)}: ${problem}`)
  }

  syntaxError(position: number, problem: string): JsonMismatch {
    return new JsonMismatch(`proto: syntax error ${this.#place(position)}: ${problem}`)
  }

  /** Counted from 1, in characters. */
  #place(position: number): string {
    const before = this.#bytes.subarray(0, position)
    const lineStart = before.lastIndexOf(0x0a) + 1
    const line = this.#text.slice(0, lineStart).split('\n').length
    return `(line ${line}:${Array.from(before.subarray(lineStart).toString('utf8')).length + 1})`
  }

  #pastSeparators(start: number): number {
    let position = start
    while (' \n\r\t,:'.includes(this.#text.charAt(position)) && position < this.#text.length) position++
    return position
  }

  #string(position: number): Token {
    let end = position + 1
    while (this.#bytes[end] !== QUOTE) end += this.#bytes[end] === BACKSLASH ? 2 : 1
    end++
    this.#position = end
    const bytes = this.#bytes.subarray(position, end)
    if (!this.#valid && !isUtf8(bytes)) throw this.syntaxError(position, 'invalid UTF-8 in string')
    const raw = bytes.toString('utf8')
    if (!raw.includes('\\')) return { kind: 'string', raw, text: raw.slice(1, -1), position }
    this.#checkSurrogates(raw, position)
    return { kind: 'string', raw, text: JSON.parse(raw) as string, position }
  }

  /** A half of a surrogate pair must have its other half beside it. */
  #checkSurrogates(raw: string, position: number): void {
    for (const { 0: escape, 1: alone, index } of raw.matchAll(ESCAPES)) {
      if (alone === undefined) continue
      const after = position + Buffer.byteLength(raw.slice(0, index + escape.length))
      // Go looks for the other half in what follows, be it beyond the string.
      if (this.#bytes.length - after < ESCAPE_BYTES) throw new JsonMismatch('proto: unexpected EOF')
      const found = JSON.stringify(this.#bytes.toString('utf8', after, after + ESCAPE_BYTES))
      throw this.syntaxError(position, `invalid escape code ${found} in string`)
    }
  }
}
