/** Random requests to the JSON gateway: well-formed ones, and ones that are spoilt in a random place. */
import type { HttpRequest } from '../http-client.fixture.ts'
import type { Random } from './random.ts'

type Fields = Readonly<Record<string, unknown>>

const KEYS = ['a', 'b', 'ba', 'c', 'ü', '\0', ''].map((key) => Buffer.from(key))
const VALUES = ['', 'v', 'value', '\xff\xfe>', '{"json":1}'].map((value) => Buffer.from(value, 'latin1'))
const LEASES = ['7', '8', '9', '424242', '-3']

const METHODS: readonly (readonly [number, string, (random: Random) => Fields])[] = [
  [6, '/v3/kv/range', range],
  [6, '/v3/kv/put', put],
  [2, '/v3/kv/deleterange', deleteRange],
  [4, '/v3/kv/txn', txn],
  [1, '/v3/kv/compaction', (random) => ({ revision: integer(random, random.below(40)), physical: random.oneIn(2) })],
  [1, '/v3/lease/grant', (random) => ({ TTL: '3600', ID: integer(random, Number(random.pick(LEASES))) })],
  [1, '/v3/lease/revoke', (random) => ({ ID: random.pick(LEASES) })],
  [1, '/v3/kv/lease/revoke', (random) => ({ ID: random.pick(LEASES) })],
  [1, '/v3/lease/leases', () => ({})],
  [1, '/v3/maintenance/alarm', () => ({ action: 'GET', unknown: { deep: [1, { a: null }] } })],
]

/** Stand in for a value of the right kind. */
const WRONG: readonly unknown[] = [
  null,
  true,
  1,
  1.5,
  -1,
  1e30,
  '',
  'x',
  '1',
  '1.0',
  ' 1',
  '1 1',
  '%%',
  'YQ',
  [],
  [1],
  {},
]
const PATHS = ['/v3/kv/nope', '/v3/', '/', '/v3/kv/range/', '/v3//kv/put', '/v2/keys', '/v3/kv%2Frange', '/health/']
const INSERTED = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\',
  '\\u12',
  '\\ud800',
  '\\x',
  '\n',
  '\0',
  '\u00ff',
  '1',
  '-',
  '.',
  'e',
  'nul',
  ' ',
]

export function randomHttpRequest(random: Random): HttpRequest {
  const [path, body] = randomBody(random)
  if (random.oneIn(40)) return { method: random.pick(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']), path, body }
  if (random.oneIn(40)) return { path: random.pick(PATHS), body }
  const prefixed = random.oneIn(10) ? path.replace('/v3/', '/v3beta/') : path
  if (random.oneIn(30)) return { path: prefixed, body: '' }
  if (random.oneIn(4)) return { path: prefixed, body: spoilt(random, body) }
  return { path: prefixed, body: random.oneIn(20) ? `${body} ${randomBody(random)[1]}` : body }
}

function randomBody(random: Random): readonly [path: string, body: string] {
  const [path, fields] = random.weighted(METHODS.map(([weight, path, make]) => [weight, [path, make] as const]))
  const message = cased(random, fields(random))
  const text = JSON.stringify(random.oneIn(5) ? altered(random, message) : message, null, random.pick([0, 0, 1]))
  return [path, text]
}

/** Cut, doubled, or with something in it. */
function spoilt(random: Random, text: string): string {
  const at = random.below(text.length + 1)
  const before = text.slice(0, at)
  if (random.oneIn(3)) return before
  if (random.oneIn(4)) return before + text.slice(at + 1 + random.below(3))
  return before + random.pick(INSERTED) + text.slice(at)
}

/** One value, somewhere, is of another kind. */
function altered(random: Random, message: Fields): Fields {
  const names = Object.keys(message)
  if (names.length === 0) return { key: random.pick(WRONG) }
  const name = random.pick(names)
  const value = message[name]
  const [first] = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  const inner = isFields(first) && random.oneIn(2) ? altered(random, first) : undefined
  const replaced = inner === undefined ? random.pick(WRONG) : Array.isArray(value) ? [inner] : inner
  return { ...message, [name]: replaced }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Names in snake case, as they are written here, or in camel case. */
function cased(random: Random, value: Fields): Fields {
  if (!random.oneIn(3)) return value
  const camel = (inner: unknown): unknown => {
    if (Array.isArray(inner)) return inner.map(camel)
    if (!isFields(inner)) return inner
    const entries = Object.entries(inner)
    return Object.fromEntries(
      entries.map(([name, field]) => [
        name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
        camel(field),
      ]),
    )
  }
  return camel(value) as Fields
}

function bytes(random: Random, choices: readonly Buffer[]): string {
  const encoded = random.pick(choices).toString(random.oneIn(3) ? 'base64url' : 'base64')
  return random.oneIn(5) ? encoded.replace(/=+$/, '') : encoded
}

function integer(random: Random, value: number): unknown {
  return random.oneIn(2) ? value : String(value)
}

function range(random: Random): Fields {
  return {
    key: bytes(random, KEYS),
    ...(random.oneIn(2) && { range_end: bytes(random, KEYS) }),
    ...(random.oneIn(4) && { limit: integer(random, random.below(3)) }),
    ...(random.oneIn(5) && { revision: integer(random, random.below(40)) }),
    ...(random.oneIn(4) && {
      sort_order: random.pick(['NONE', 'ASCEND', 'DESCEND', 2, 9, 'UNKNOWN']),
      sort_target: random.pick(['KEY', 'VERSION', 'MOD', 1]),
    }),
    ...(random.oneIn(6) && { keys_only: true }),
    ...(random.oneIn(6) && { count_only: true }),
    ...(random.oneIn(6) && { serializable: random.oneIn(2) }),
    ...(random.oneIn(8) && { min_mod_revision: '3', max_create_revision: 12 }),
  }
}

function put(random: Random): Fields {
  return {
    key: bytes(random, KEYS),
    value: bytes(random, VALUES),
    ...(random.oneIn(5) && { lease: random.pick(LEASES) }),
    ...(random.oneIn(4) && { prev_kv: true }),
    ...(random.oneIn(8) && { ignore_value: true }),
    ...(random.oneIn(8) && { ignore_lease: true }),
  }
}

function deleteRange(random: Random): Fields {
  return {
    key: bytes(random, KEYS),
    ...(random.oneIn(3) && { range_end: bytes(random, KEYS.slice(0, 4)) }),
    ...(random.oneIn(2) && { prev_kv: true }),
  }
}

function txn(random: Random): Fields {
  const list = (make: () => Fields): readonly Fields[] => Array.from({ length: random.below(3) }, make)
  return {
    compare: list(() => compare(random)),
    success: list(() => operation(random)),
    failure: list(() => operation(random)),
  }
}

function compare(random: Random): Fields {
  return {
    key: bytes(random, KEYS),
    result: random.pick(['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL', 3]),
    target: random.pick(['VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE', 0]),
    ...random.pick([
      { version: '1' },
      { mod_revision: 5 },
      { value: bytes(random, VALUES) },
      { version: 1, value: 'dg==' },
      {},
    ]),
  }
}

function operation(random: Random): Fields {
  return random.weighted<() => Fields>([
    [4, () => ({ request_range: range(random) })],
    [3, () => ({ request_put: put(random) })],
    // Only single keys, for the sake of etcd (see exceptions.ts).
    [1, () => ({ request_delete_range: { key: bytes(random, KEYS) } })],
    [1, () => ({ request_txn: { success: [{ request_range: range(random) }] } })],
    [1, () => ({})],
  ])()
}
