/**
 * Names: what is a legal key, namespace or id, and how keys are ordered. Checked here, before anything is sent, so
 * that every backend refuses the same names in the same words.
 *
 * A **key** is a path: `/segment/segment…`, no empty segment, none that is `.` or `..`, no NUL, no lone surrogate, at
 * most `limits.maxKeyBytes` bytes of UTF-8. Nothing else is special: spaces, quotes, `%`, `*`, upper and lower case,
 * composed and decomposed letters are what they are. A **namespace** is a key, or `/` for the root. An **id** (of a
 * member, candidate, group or service) is any text but the empty one under the same rules for characters; a backend
 * that builds keys from ids escapes them.
 */
import type { Limited } from './capabilities.ts'
import { isWellFormed } from './data.ts'
import { CoordinationError } from './errors.ts'

/** Longest id, in bytes of UTF-8: escaped and prefixed it still fits the 512 bytes of key that every backend has. */
export const MAX_ID_BYTES = 128

const encoder = new TextEncoder()

/** @throws CoordinationError INVALID_KEY, saying which rule the key breaks. */
export function checkKey(key: string, limited: Limited): void {
  refuse('key', key, badPath(key, limited.limits.maxKeyBytes), limited)
}

/** @throws CoordinationError INVALID_KEY unless `namespace` is `/` or a legal key. */
export function checkNamespace(namespace: string, limited: Limited): void {
  if (namespace === '/') return
  refuse('namespace', namespace, badPath(namespace, limited.limits.maxKeyBytes), limited)
}

/** @param what names the argument in the message. @throws CoordinationError INVALID_KEY */
export function checkId(what: 'member' | 'candidate' | 'group' | 'service', id: string, limited: Limited): void {
  refuse(`${what} id`, id, badCharacters(id, MAX_ID_BYTES), limited)
}

/**
 * Orders keys as the store does, by their UTF-8 bytes; negative, zero or positive.
 * JavaScript's own `<` compares UTF-16 units, which puts U+10000 and above before U+E000.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at)
    const unitB = b.charCodeAt(at)
    if (unitA !== unitB) return inCodePointOrder(unitA) - inCodePointOrder(unitB)
  }
  return a.length - b.length
}

/**
 * The child of `namespace` that `key` is or lies below – what `Storage.list` lists; undefined if it is elsewhere.
 * `childOf('/a', '/a/b/c')` is `b`; of `/ab` and of `/a` itself there is none.
 */
export function childOf(namespace: string, key: string): string | undefined {
  const prefix = prefixOf(namespace)
  if (!key.startsWith(prefix) || key.length === prefix.length) return undefined
  const end = key.indexOf('/', prefix.length)
  return key.slice(prefix.length, end === -1 ? undefined : end)
}

/** What all keys below a namespace begin with: the namespace and one `/`, which is what keeps `/a` from `/ab`. */
export function prefixOf(namespace: string): string {
  return namespace === '/' ? '/' : `${namespace}/`
}

/** Surrogates (U+10000 and above) after the units above them. */
function inCodePointOrder(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

function refuse(what: string, name: unknown, problem: string | undefined, { backend }: Limited): void {
  if (problem === undefined) return
  const shown = typeof name === 'string' ? name : undefined
  const message = `${what} ${shorten(JSON.stringify(name))} ${problem}`
  throw new CoordinationError('INVALID_KEY', message, { backend, ...(shown !== undefined && { key: shown }) })
}

function badPath(key: unknown, maxBytes: number): string | undefined {
  const problem = badCharacters(key, maxBytes)
  if (problem !== undefined || typeof key !== 'string') return problem
  if (!key.startsWith('/')) return "must begin with '/'"
  for (const segment of key.slice(1).split('/')) {
    if (segment === '') return key.endsWith('/') ? "must not end with '/'" : "must not contain '//'"
    if (segment === '.' || segment === '..') return `must not have the segment '${segment}'`
  }
  return undefined
}

function badCharacters(name: unknown, maxBytes: number): string | undefined {
  if (typeof name !== 'string') return 'must be a string'
  if (name === '') return 'must not be empty'
  if (name.includes('\0')) return 'must not contain NUL'
  if (!isWellFormed(name)) return 'must not contain a lone surrogate'
  const bytes = encoder.encode(name).length
  return bytes > maxBytes ? `has ${bytes} bytes, at most ${maxBytes} are possible` : undefined
}

function shorten(text: string | undefined): string {
  if (text === undefined) return 'undefined'
  return text.length <= 80 ? text : `${text.slice(0, 60)}…${text.slice(-16)}`
}
