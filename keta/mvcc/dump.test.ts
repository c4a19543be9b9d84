import { expect } from 'chai'
import fc from 'fast-check'
import { DumpError } from './dump-error.ts'
import type { Store } from './kv.ts'
import { compactFully, describedEvents, write } from './store-suite.ts'
import { StoreLoader } from './store-loader.ts'
import { createStore, type MvccStore } from './store.ts'

/** The example of dump-format.md. */
const EXAMPLE =
  '0a06080110032003' +
  ('1000' + '220c' + '0a0161100218022001' + '2a0178') +
  ('1002' + '1801' + '2205' + '0a01611803') +
  ('1001' + '220c' + '0a0162100318032001' + '2a0179') +
  '2a020803'

describe('a dump', () => {
  it('has the documented format', () => {
    const store = createStore()
    write(store, 'a=x')
    write(store, 'b=y', '-a')
    expect(dumped(store).map(hex)).to.deep.equal([EXAMPLE])
    expect(state(load([Buffer.from(EXAMPLE, 'hex')]))).to.deep.equal(state(store))
  })

  it('brings an empty store back', () => {
    const store = createStore()
    const loaded = load(dumped(store))
    expect(state(loaded)).to.deep.equal(state(store))
    expect(loaded.allocatedBytes).to.be.greaterThan(0)
  })

  it('keeps to its chunk size, with a larger chunk only for a larger version', () => {
    const store = createStore()
    for (let index = 0; index < 200; index++) write(store, `k${index}=${'v'.repeat(index)}`)
    for (let index = 0; index < 200; index++) write(store, `hot=${index}`)
    write(store, `large=${'v'.repeat(5000)}`)
    const chunks = dumped(store, 1000)
    expect(chunks.length).to.be.greaterThan(20)
    expect(chunks.filter((chunk) => chunk.length > 1064)).to.have.lengthOf(1)
    expect(state(load(chunks))).to.deep.equal(state(store))
  })

  it('is loaded without copying, and the loaded store goes on like the dumped one', () => {
    const store = createStore()
    for (let index = 0; index < 50; index++) write(store, `k${index % 20}=${index}`, `-k${(index * 7) % 20}`)
    compactFully(store, 30)
    const chunks = dumped(store, 500)
    const loaded = load(chunks)
    expect(loaded.liveBytes).to.equal(store.liveBytes)
    const [first] = loaded.range({ start: '' as never, end: null }, loaded.revision, 1).versions
    expect(chunks.some((chunk) => chunk.buffer === first!.encoded().buffer)).to.equal(true)
    for (const each of [store, loaded]) {
      write(each, 'k1=after', '-k2')
      compactFully(each, each.revision)
      write(each, 'k3=after')
      compactFully(each, each.revision)
    }
    expect(loaded.liveBytes).to.equal(store.liveBytes)
    expect(state(loaded)).to.deep.equal(state(store))
  })

  it('holds back scrubbing and defragmenting until it is closed', () => {
    const store = createStore()
    write(store, 'a=1')
    write(store, 'a=2')
    const dump = store.dump()
    const other = store.dump()
    store.compact(3)
    const { liveBytes } = store
    expect([store.scrub(10), store.defragment(10), store.scrubPending, store.liveBytes]).to.deep.equal([
      true,
      true,
      true,
      liveBytes,
    ])
    dump.close()
    dump.close()
    store.scrub(10)
    expect(store.liveBytes).to.equal(liveBytes)
    other.close()
    expect(store.scrub(10)).to.equal(true)
    expect(store.liveBytes).to.be.lessThan(liveBytes)
    expect(() => [...dump.chunks]).to.throw('after it was closed')
  })

  it('is the store as it was when the dump began, whatever is written meanwhile', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')
    const request = fc.array(
      fc.oneof(
        name.map((key) => `${key}=value of ${key}`),
        name.map((key) => `-${key}`),
      ),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    const requests = fc.array(request, { maxLength: 25 })
    fc.assert(
      fc.property(requests, requests, fc.nat(30), fc.nat(30), fc.integer({ min: 1, max: 200 }), (...args) => {
        const [before, meanwhile, firstCompaction, secondCompaction, chunkBytes] = args
        const store = createStore()
        const twin = createStore()
        for (const each of [store, twin]) {
          for (const changes of before) write(each, ...changes)
          each.compact(Math.min(firstCompaction, each.revision))
        }
        const expected = state(twin)
        const dump = store.dump(chunkBytes)
        const chunks: Uint8Array[] = []
        const writes = meanwhile[Symbol.iterator]()
        for (const chunk of dump.chunks) {
          chunks.push(chunk)
          const next = writes.next()
          if (next.done !== true) write(store, ...next.value)
          store.compact(Math.min(secondCompaction, store.revision))
          store.scrub(3)
          store.defragment(3)
        }
        dump.close()
        expect(state(load(chunks))).to.deep.equal(expected)
      }),
      { numRuns: 150 },
    )
  })
})

describe('loading a dump', () => {
  const good = (): Buffer => Buffer.from(EXAMPLE, 'hex')
  const replaced = (from: string, to: string): Buffer => Buffer.from(EXAMPLE.replace(from, to), 'hex')

  it('refuses what cannot be, with a code', () => {
    const cases: readonly (readonly [string, readonly Buffer[], string])[] = [
      ['nothing', [], 'INCOMPLETE_DUMP'],
      ['no end', [good().subarray(0, -4)], 'INCOMPLETE_DUMP'],
      ['no header', [good().subarray(8)], 'INCOMPLETE_DUMP'],
      ['two headers', [good().subarray(0, 8), good()], 'INCOMPLETE_DUMP'],
      ['more after the end', [good(), good()], 'INCOMPLETE_DUMP'],
      ['a version is missing', [replaced('1801', '').subarray(0, 24), good().subarray(33)], 'INCOMPLETE_DUMP'],
      ['another format', [replaced('0a060801', '0a060802')], 'UNKNOWN_DUMP_FORMAT'],
      ['cut off', [good().subarray(0, 20)], 'MALFORMED_DUMP'],
      ['unknown field', [Buffer.concat([good().subarray(0, 8), Buffer.from('3801', 'hex')])], 'MALFORMED_DUMP'],
      ['ordinal too large', [replaced('1002', '1003')], 'MALFORMED_DUMP'],
      ['ordinal twice', [replaced('1002', '1000')], 'MALFORMED_DUMP'],
      [
        'ordinals exchanged',
        [replaced('1000', '1001').subarray(0, 24), replaced('1001', '1000').subarray(24)],
        'MALFORMED_DUMP',
      ],
      ['keys out of order', [replaced('0a0162', '0a0160')], 'INCOMPLETE_DUMP'],
      ['a key twice', [replaced('0a0162', '0a0161')], 'MALFORMED_DUMP'],
      ['a revision of the future', [replaced('01611803', '01611804')], 'MALFORMED_DUMP'],
      ['a put without create_revision', [replaced('0a01611002', '0a01611000')], 'MALFORMED_DUMP'],
      ['compacted in the future', [replaced('10032003', '18053003')], 'MALFORMED_DUMP'],
      ['text', [Buffer.from('hello, world')], 'MALFORMED_DUMP'],
    ]
    for (const [name, chunks, code] of cases) expect(codeOf(chunks), name).to.equal(code)
  })

  it('never fails in another way, whatever byte is changed', () => {
    fc.assert(
      fc.property(fc.nat(EXAMPLE.length / 2 - 1), fc.nat(255), (position, byte) => {
        const bytes = good()
        bytes[position] = byte
        codeOf([bytes])
      }),
      { numRuns: 2000 },
    )
  })
})

function dumped(store: Store, chunkBytes?: number): Uint8Array[] {
  const dump = store.dump(chunkBytes)
  const chunks = [...dump.chunks]
  dump.close()
  return chunks
}

function load(chunks: readonly Uint8Array[]): MvccStore {
  const loader = new StoreLoader()
  for (const chunk of chunks) loader.add(chunk)
  return loader.finish()
}

/** The code of the refusal; undefined if there was none. Anything but a DumpError is thrown on. */
function codeOf(chunks: readonly Uint8Array[]): string | undefined {
  try {
    load(chunks)
    return undefined
  } catch (error) {
    if (error instanceof DumpError) return error.code
    throw error
  }
}

/** Everything that can be seen of a store. */
function state(store: Store): unknown {
  const { revision, compactRevision, keyCount } = store
  const readable = Array.from({ length: revision }, (_, index) => index + 1).filter((at) => at >= compactRevision)
  const reads = readable.map((at) =>
    store.range({ start: '' as never, end: null }, at, 0).versions.map((version) => hex(version.encoded())),
  )
  const history = describedEvents(store.commits(Math.max(0, compactRevision), Number.MAX_SAFE_INTEGER, 1e9))
  return { revision, compactRevision, keyCount, reads, history, hash: store.hashKv(revision) }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
