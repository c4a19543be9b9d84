/**
 * Random keys, range ends, values, revisions and other fields, with the edges of each much more often than by chance.
 */
import type { World } from './pair.ts'
import type { Random } from './random.ts'

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values)
const NUL = bytes(0)
const EMPTY = Buffer.alloc(0)

/** Few, so that requests meet; with prefixes of each other, and every byte that an encoding could trip over. */
const KEYS: readonly Buffer[] = [
  ...['a', 'a/', 'a/1', 'a/2', 'a/b/c', 'b', 'foo', 'foo1', 'foo12', 'fop', 'ключ', '%00', '"quoted"'].map((s) =>
    Buffer.from(s),
  ),
  NUL,
  bytes(0, 0),
  bytes(0x61, 0),
  bytes(0x61, 0, 0xff),
  bytes(0x61, 0xff),
  bytes(0x7f),
  bytes(0x80),
  bytes(0xc3, 0x28),
  bytes(0xed, 0xa0, 0x80),
  bytes(0xff),
  bytes(0xff, 0xff),
  bytes(0xff, 0x00),
  Buffer.alloc(300, 'long'),
]
/** Enough for sorts that are not insertion sorts. */
const NUMBERED = Array.from({ length: 160 }, (_, i) => Buffer.from(`t/${String(i).padStart(3, '0')}`))
/** Equal values make ties in a sort by value. */
const VALUES: readonly Buffer[] = [
  ...['v', 'w', 'x', '10', '9', 'ü'].map((s) => Buffer.from(s)),
  EMPTY,
  NUL,
  bytes(0xff),
]

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)
const MIB = 1024 * 1024
/** etcd's limit of a request; how much of it is overhead depends on the request, so its neighbourhood is left out. */
const REQUEST_LIMIT = 1.5 * MIB
const OVERHEAD = 256

export const LEASE_IDS: readonly bigint[] = [1n, 2n, 3n, 7n, 1000n, 123456789012345n, INT64_MAX, -1n, -77n, INT64_MIN]
/** Long enough never to end in a run. */
const TTLS: readonly bigint[] = [900n, 1000n, 3600n, 100_000n, 8_999_999_999n, 9_000_000_000n]
export const ODD_TTLS: readonly bigint[] = [0n, -1n, 1n, 2n, INT64_MIN, 9_000_000_001n, INT64_MAX]

export function anyKey(random: Random): Buffer {
  return random.oneIn(3) ? random.pick(NUMBERED) : random.pick(KEYS)
}

export function anyKeyOrNone(random: Random): Buffer {
  return random.oneIn(200) ? EMPTY : anyKey(random)
}

/** `count` different keys that nothing else uses. */
export function freshKeys(count: number): readonly Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`fresh/${i}`))
}

/** A key and a range end: one key, everything, everything from a key, a prefix, between two keys, or nothing. */
export function anyRange(random: Random): { key: Buffer; rangeEnd: Buffer } {
  const key = anyKeyOrNone(random)
  return random.weighted<() => { key: Buffer; rangeEnd: Buffer }>([
    [8, () => ({ key, rangeEnd: EMPTY })],
    [3, () => ({ key: NUL, rangeEnd: NUL })],
    [3, () => ({ key, rangeEnd: NUL })],
    [6, () => ({ key: Buffer.from('t/'), rangeEnd: Buffer.from('t0') })],
    [4, () => ({ key, rangeEnd: prefixEnd(key) })],
    [4, () => ({ key, rangeEnd: anyKey(random) })],
    [1, () => ({ key, rangeEnd: key })],
  ])()
}

export function anyValue(random: Random): Buffer {
  const kind = random.below(100)
  if (kind < 85) return random.pick(VALUES)
  if (kind < 97) return Buffer.alloc(random.below(300), random.pick(VALUES.slice(0, 5)))
  return Buffer.alloc(random.below(20_000), 'large')
}

/** Around the limits of a request and of a message. */
export function hugeValue(random: Random): Buffer {
  const size = random.pick([
    100 * 1024,
    MIB,
    REQUEST_LIMIT - OVERHEAD - random.below(1000),
    REQUEST_LIMIT + OVERHEAD + random.below(1000),
    2 * MIB + OVERHEAD,
    3 * MIB,
  ])
  return Buffer.alloc(size, 'h')
}

/** For reads: mostly now, often in the readable past, sometimes neither. */
export function anyRevision(random: Random, world: World): bigint {
  return random.oneIn(2) ? 0n : someRevision(random, world)
}

/** Never the 0 that means now. */
export function someRevision(random: Random, world: World): bigint {
  const { revision, compacted } = world
  return random.weighted<() => bigint>([
    [12, () => compacted + BigInt(random.below(Number(revision - compacted) + 1))],
    [3, () => revision - BigInt(random.below(5))],
    [2, () => compacted],
    [2, () => compacted - 1n],
    [2, () => compacted + 1n],
    [1, () => revision],
    [1, () => revision + 1n],
    [1, () => revision + 1000n],
    [1, () => random.pick([-1n, -5n, INT64_MIN, INT64_MAX, 1n])],
  ])()
}

/** Bounds of revision filters: mostly none, else mostly one. */
export function anyBounds(random: Random, world: World) {
  const filtered = random.oneIn(4)
  const bound = (): bigint => {
    if (!filtered || !random.oneIn(3)) return 0n
    if (random.oneIn(10)) return random.pick([-1n, INT64_MIN, INT64_MAX])
    return BigInt(random.below(Number(world.revision) + 2))
  }
  return {
    minModRevision: bound(),
    maxModRevision: bound(),
    minCreateRevision: bound(),
    maxCreateRevision: bound(),
  }
}

export function anyLimit(random: Random): bigint {
  return random.weighted([
    [10, 0n],
    [8, BigInt(1 + random.below(20))],
    [2, 1n],
    [1, 1000n],
    [1, -1n],
    [1, INT64_MAX],
  ])
}

/** A lease id that is often granted; `orNone` adds 0. */
export function anyLease(random: Random, world: World): bigint {
  return world.leases.size > 0 && !random.oneIn(5) ? random.pick([...world.leases]) : random.pick(LEASE_IDS)
}

export function anyTtl(random: Random): bigint {
  return random.pick(TTLS)
}

/** The smallest key above all keys with this prefix; "\0" (no end) if there is none. */
export function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] ?? 0xff
    if (byte < 0xff) {
      end[i] = byte + 1
      return end.subarray(0, i + 1)
    }
  }
  return NUL
}
