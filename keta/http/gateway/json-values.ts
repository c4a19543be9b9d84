/**
 * Cuts a request body into JSON values, as it arrives. A body may hold several, one after the other. What is no JSON
 * is refused in the words of Go's encoding/json, which etcd's gateway reads with.
 */

/** The text is what etcd's gateway says of such a body. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
}

/** A value that is longer than the gateway takes. */
export class JsonTooLarge extends Error {
  override readonly name = 'JsonTooLarge'
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MAX_DEPTH = 10_000
const FIRST_BYTES = 4096

const LITERALS: ReadonlyMap<number, string> = new Map(
  ['true', 'false', 'null'].map((word) => [word.charCodeAt(0), word]),
)

type State =
  | 'value'
  | 'value-or-end'
  | 'key'
  | 'key-or-end'
  | 'string'
  | 'escape'
  | 'hex'
  | 'minus'
  | 'zero'
  | 'digits'
  | 'dot'
  | 'fraction'
  | 'e'
  | 'e-sign'
  | 'exponent'
  | 'literal'
  | 'after'

/** What a value stands in: an object, as its key or its value, or an array. */
type Place = 'key' | 'object' | 'array'

const NUMBER_ENDS: ReadonlySet<State> = new Set(['zero', 'digits', 'fraction', 'exponent'])

export class JsonValues {
  readonly #limit: number
  #bytes = Buffer.alloc(FIRST_BYTES)
  #length = 0
  /** Where the value in hand begins, and up to where it has been looked at. */
  #start = 0
  #position = 0
  #state: State = 'value'
  readonly #places: Place[] = []
  /** Of a literal or a \u escape: how many of its bytes have been seen. */
  #seen = 0
  #literal = ''

  /** @param limit of one value, in bytes */
  constructor(limit: number) {
    this.#limit = limit
  }

  push(chunk: Uint8Array): void {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#length)
      this.#length -= this.#start
      this.#position -= this.#start
      this.#start = 0
    }
    const length = this.#length + chunk.length
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(length, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#bytes.set(chunk, this.#length)
    this.#length = length
  }

  /**
   * The next whole value, undefined if it has not arrived. A view, good until the next `push`.
   * @throws JsonSyntaxError, JsonTooLarge
   */
  next(): Buffer | undefined {
    while (this.#position < this.#length) {
      if (this.#state === 'value' && this.#places.length === 0 && isSpace(this.#current)) {
        this.#position++
        this.#start = this.#position
        continue
      }
      if (this.#step()) return this.#take()
      if (this.#position - this.#start > this.#limit) {
        throw new JsonTooLarge(`a request is larger than ${this.#limit} bytes of JSON`)
      }
    }
    return undefined
  }

  /**
   * The value that ends with the body, undefined if there is none.
   * @throws JsonSyntaxError if the body ends within a value
   */
  last(): Buffer | undefined {
    if (this.#start === this.#length) return undefined
    if (this.#places.length === 0 && NUMBER_ENDS.has(this.#state)) return this.#take()
    throw new JsonSyntaxError('unexpected EOF')
  }

  get #current(): number {
    return this.#bytes[this.#position] ?? 0
  }

  #take(): Buffer {
    const value = this.#bytes.subarray(this.#start, this.#position)
    this.#start = this.#position
    this.#state = 'value'
    return value
  }

  /** Looks at one byte, or at the plain part of a string. True: the value has ended before the position. */
  #step(): boolean {
    if (NUMBER_ENDS.has(this.#state) && !this.#numberGoesOn(this.#current)) {
      if (this.#ended()) return true
    }
    const byte = this.#current
    switch (this.#state) {
      case 'value-or-end':
        if (byte === 0x5d) return this.#close()
        return this.#begin(byte)
      case 'value':
        return this.#begin(byte)
      case 'key-or-end':
        if (byte === 0x7d) return this.#close()
        return this.#beginKey(byte)
      case 'key':
        return this.#beginKey(byte)
      case 'string':
        return this.#string(byte)
      case 'after':
        return this.#after(byte)
      default:
        this.#within(byte)
        if (this.#state === 'literal' && this.#seen === this.#literal.length) {
          this.#position++
          return this.#ended()
        }
    }
    this.#position++
    return false
  }

  #begin(byte: number): boolean {
    if (isSpace(byte)) return this.#go(this.#state)
    if (byte === 0x7b) return this.#open('key', 'key-or-end', byte)
    if (byte === 0x5b) return this.#open('array', 'value-or-end', byte)
    if (byte === QUOTE) return this.#go('string')
    if (byte === 0x2d) return this.#go('minus')
    if (byte === 0x30) return this.#go('zero')
    if (isDigit(byte)) return this.#go('digits')
    const literal = LITERALS.get(byte)
    if (literal === undefined) throw unexpected(byte, 'looking for beginning of value')
    this.#literal = literal
    this.#seen = 1
    return this.#go('literal')
  }

  #beginKey(byte: number): boolean {
    if (isSpace(byte)) return this.#go(this.#state)
    if (byte !== QUOTE) throw unexpected(byte, 'looking for beginning of object key string')
    return this.#go('string')
  }

  #open(place: Place, state: State, byte: number): boolean {
    this.#places.push(place)
    if (this.#places.length > MAX_DEPTH) throw unexpected(byte, 'exceeded max depth')
    return this.#go(state)
  }

  #close(): boolean {
    this.#places.pop()
    this.#position++
    return this.#ended()
  }

  /** A value has ended. True: it was the whole. */
  #ended(): boolean {
    this.#state = 'after'
    return this.#places.length === 0
  }

  #go(state: State): false {
    this.#state = state
    this.#position++
    return false
  }

  #string(first: number): boolean {
    let byte = first
    let position = this.#position
    while (position < this.#length && byte !== QUOTE && byte !== BACKSLASH && byte >= 0x20) {
      position++
      byte = this.#bytes[position] ?? 0
    }
    this.#position = position
    if (position === this.#length) return false
    if (byte < 0x20) throw unexpected(byte, 'in string literal')
    this.#position++
    if (byte === QUOTE) return this.#ended()
    this.#state = 'escape'
    return false
  }

  #after(byte: number): boolean {
    if (isSpace(byte)) return this.#go('after')
    const place = this.#places.at(-1)
    if (place === 'key') {
      if (byte !== 0x3a) throw unexpected(byte, 'after object key')
      this.#places[this.#places.length - 1] = 'object'
      return this.#go('value')
    }
    if (place === 'object') {
      if (byte === 0x7d) return this.#close()
      if (byte !== 0x2c) throw unexpected(byte, 'after object key:value pair')
      this.#places[this.#places.length - 1] = 'key'
      return this.#go('key')
    }
    if (byte === 0x5d) return this.#close()
    if (byte !== 0x2c) throw unexpected(byte, 'after array element')
    return this.#go('value')
  }

  /** A byte within an escape, a literal or a number. */
  #within(byte: number): void {
    switch (this.#state) {
      case 'escape':
        if (byte === 0x75) {
          this.#seen = 0
          this.#state = 'hex'
        } else if ('bfnrt\\/"'.includes(String.fromCharCode(byte))) this.#state = 'string'
        else throw unexpected(byte, 'in string escape code')
        return
      case 'hex':
        if (!isHex(byte)) throw unexpected(byte, 'in \\u hexadecimal character escape')
        this.#seen++
        if (this.#seen === 4) this.#state = 'string'
        return
      case 'literal': {
        const expected = this.#literal.charAt(this.#seen)
        if (byte !== expected.charCodeAt(0)) {
          throw unexpected(byte, `in literal ${this.#literal} (expecting '${expected}')`)
        }
        this.#seen++
        return
      }
      case 'minus':
        if (!isDigit(byte)) throw unexpected(byte, 'in numeric literal')
        this.#state = byte === 0x30 ? 'zero' : 'digits'
        return
      case 'dot':
        if (!isDigit(byte)) throw unexpected(byte, 'after decimal point in numeric literal')
        this.#state = 'fraction'
        return
      case 'e':
        this.#state = 'e-sign'
        if (byte !== 0x2b && byte !== 0x2d) this.#within(byte)
        return
      case 'e-sign':
        if (!isDigit(byte)) throw unexpected(byte, 'in exponent of numeric literal')
        this.#state = 'exponent'
        return
      default:
        if (byte === 0x2e) this.#state = 'dot'
        else if (byte === 0x65 || byte === 0x45) this.#state = 'e'
    }
  }

  #numberGoesOn(byte: number): boolean {
    if (isDigit(byte)) return this.#state !== 'zero'
    if (this.#state === 'exponent') return false
    return byte === 0x65 || byte === 0x45 || (byte === 0x2e && this.#state !== 'fraction')
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)
}

function unexpected(byte: number, where: string): JsonSyntaxError {
  return new JsonSyntaxError(`invalid character ${quoted(byte)} ${where}`)
}

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0b, '\\v'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x27, "\\'"],
  [BACKSLASH, '\\\\'],
])

/** As Go quotes a character; a byte beyond ASCII is taken for the character of that number. */
function quoted(byte: number): string {
  const short = SHORT_ESCAPES.get(byte)
  if (short !== undefined) return `'${short}'`
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`
  if ((byte > 0x7f && byte <= 0xa0) || byte === 0xad) return `'\\u00${byte.toString(16)}'`
  return `'${String.fromCharCode(byte)}'`
}
