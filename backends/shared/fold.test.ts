import { expect } from 'chai'
import fc from 'fast-check'
import { type Entry, makeEntry, type Version, versionOf } from '../../spi/index.ts'
import { diagnose } from './diagnose.ts'
import type { KeyChange } from './driver.ts'
import { type BytesOp, fold } from './fold.ts'

type State = ReadonlyMap<string, Entry>

const KEYS = ['/a', '/b', '/c']
const VERSIONS = ['1', '2', '3'].map(versionOf)
const bytes = (text: string) => new TextEncoder().encode(text)

const key = fc.constantFrom(...KEYS)
const version = fc.constantFrom<Version>(...VERSIONS)
const ifVersion = fc.option(version, { nil: undefined })
const value = fc.constantFrom('x', 'y', '').map(bytes)
const operation: fc.Arbitrary<BytesOp> = fc.oneof(
  fc.record({ op: fc.constant('check' as const), key, version: fc.option(version) }),
  fc.record({ op: fc.constant('put' as const), key, bytes: value }),
  fc.record({ op: fc.constant('update' as const), key, bytes: value, ifVersion }),
  fc.record({ op: fc.constant('delete' as const), key, ifVersion }),
)
const state: fc.Arbitrary<State> = fc
  .uniqueArray(fc.record({ key, version }), { selector: (entry) => entry.key })
  .map((all) => new Map(all.map((entry) => [entry.key, makeEntry(entry.key, bytes('old'), entry.version)])))

/** The contract, said as plainly as can be: one operation after another, each on what those before it left. */
function naive(operations: readonly BytesOp[], before: State): { failed: string } | { after: Map<string, string> } {
  const now = new Map([...before].map(([name, entry]) => [name, { text: entry.text, version: String(entry.version) }]))
  for (const [index, one] of operations.entries()) {
    const held = now.get(one.key)
    const fail = (code: string) => ({ failed: `${code} at ${index}` })
    const written = (data: Uint8Array) => now.set(one.key, { text: new TextDecoder().decode(data), version: 'new' })
    if (one.op === 'check') {
      if ((held?.version ?? null) !== one.version) return fail('VERSION_MISMATCH')
    } else if (one.op === 'put') {
      if (held !== undefined) return fail('KEY_EXISTS')
      written(one.bytes)
    } else if (one.op === 'update') {
      if (held === undefined) return fail('KEY_NOT_FOUND')
      if (one.ifVersion !== undefined && held.version !== one.ifVersion) return fail('VERSION_MISMATCH')
      written(one.bytes)
    } else if (held !== undefined) {
      if (one.ifVersion !== undefined && held.version !== one.ifVersion) return fail('VERSION_MISMATCH')
      now.delete(one.key)
    }
  }
  return { after: new Map([...now].map(([name, { text }]) => [name, text])) }
}

/** A store that commits each key once. */
function commit(changes: readonly KeyChange[], before: State): Map<string, string> | undefined {
  expect(new Set(changes.map((change) => change.key)).size).to.equal(changes.length)
  const after = new Map([...before].map(([name, entry]) => [name, entry.text]))
  for (const { key: name, expect: wanted, become } of changes) {
    const held = before.get(name)
    const holds =
      wanted === 'anything' ||
      (wanted === 'absent' ? held === undefined : wanted === 'present' ? held !== undefined : held?.version === wanted)
    if (!holds) return undefined
    if (become === 'absent') after.delete(name)
    else if (become !== 'unchanged') after.set(name, new TextDecoder().decode(become))
  }
  return after
}

/** What the storage client does with the two. */
function viaFold(operations: readonly BytesOp[], before: State): ReturnType<typeof naive> {
  const absent = new Set<string>()
  for (let round = 0; ; round++) {
    expect(round).to.be.below(KEYS.length + 2)
    const { changes, doomed } = fold(operations, absent)
    const after = commit(changes, before)
    if (after !== undefined) return doomed === undefined ? { after } : { failed: `${doomed.code} at ${doomed.index}` }
    const found = new Map(changes.map((change) => [change.key, before.get(change.key)]))
    const diagnosis = diagnose(operations, found)
    if (diagnosis !== undefined) return { failed: `${diagnosis.code} at ${diagnosis.index}` }
    for (const change of changes) if (!before.has(change.key)) absent.add(change.key)
  }
}

describe('folding a transaction', () => {
  it('does the same as one operation after another, and fails with the same one', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), state, (operations, before) => {
        expect(viaFold(operations, before)).to.deep.equal(naive(operations, before))
      }),
      { numRuns: 3_000 },
    )
  })

  it('needs one try unless a conditional delete meets no key', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), state, (operations, before) => {
        const meetsNone = operations.some((one) => one.op === 'delete' && one.ifVersion !== undefined)
        const { changes, doomed } = fold(operations)
        const passes = 'after' in naive(operations, before)
        if (!meetsNone) expect(doomed === undefined && commit(changes, before) !== undefined).to.equal(passes)
      }),
      { numRuns: 1_000 },
    )
  })

  it('knows without the store that the second of two puts fails, and asks for the first', () => {
    const put: BytesOp = { op: 'put', key: '/a', bytes: bytes('x') }
    expect(fold([put, put])).to.deep.equal({
      changes: [{ key: '/a', expect: 'absent', become: 'unchanged' }],
      doomed: { index: 1, code: 'KEY_EXISTS' },
    })
  })

  it('touches no key that is absent and stays so', () => {
    const operations: BytesOp[] = [
      { op: 'put', key: '/a', bytes: bytes('x') },
      { op: 'delete', key: '/a' },
    ]
    expect(fold(operations).changes).to.deep.equal([{ key: '/a', expect: 'absent', become: 'unchanged' }])
  })
})

describe('diagnosing a refusal', () => {
  const entry = makeEntry('/a', bytes('old'), VERSIONS[0]!)
  const found = new Map([['/a', entry]])

  it('shows what stands in the way', () => {
    const put: BytesOp = { op: 'put', key: '/a', bytes: bytes('x') }
    expect(diagnose([put], found)).to.deep.equal({ code: 'KEY_EXISTS', index: 0, current: entry })
  })

  it('shows nothing that only the transaction itself has put there', () => {
    const operations: BytesOp[] = [
      { op: 'update', key: '/a', bytes: bytes('x') },
      { op: 'put', key: '/a', bytes: bytes('y') },
    ]
    expect(diagnose(operations, found)).to.deep.equal({ code: 'KEY_EXISTS', index: 1, current: undefined })
  })
})
