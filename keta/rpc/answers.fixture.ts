/**
 * For tests: random stored versions and the messages that protobuf-es makes of them, to hold the hand-written
 * encoders against.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'

import { type Key, keyFromBytes } from '../bytes/key.ts'
import type { Identity } from '../engine/api.ts'
import type { Version } from '../mvcc/kv.ts'
import { KeyValueSchema } from '../proto/gen/mvccpb/kv_pb.js'

/** A version with the message that its bytes must be. */
export interface Sample {
  readonly version: Version
  readonly message: MessageInitShape<typeof KeyValueSchema>
  /** How often `encoded()` was called. */
  encodings(): number
}

const count = fc.oneof(fc.nat(300), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.integer({ min: 120, max: 300 }).map((length) => new Uint8Array(length).fill(0xfe)),
)

/** Revisions and other counters. */
export const counters = count

export const samples: fc.Arbitrary<Sample> = fc
  .record({
    key: bytes,
    value: fc.oneof(fc.constant(new Uint8Array()), bytes),
    createRevision: fc.oneof(count, fc.constant(1)),
    modRevision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    version: fc.integer({ min: 1, max: 1e9 }),
    lease: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  })
  .map(({ key, value, createRevision, modRevision, version, lease }) =>
    sampleOf(keyFromBytes(key), value, createRevision, modRevision, version, lease),
  )

export const tombstones: fc.Arbitrary<Sample> = fc
  .tuple(bytes, fc.integer({ min: 1, max: 1e9 }))
  .map(([key, modRevision]) => sampleOf(keyFromBytes(key), new Uint8Array(), 0, modRevision, 0, 0n))

export const identities: fc.Arbitrary<Identity> = fc.record({
  clusterId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  memberId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  name: fc.constant('n'),
})

function sampleOf(
  key: Key,
  value: Uint8Array,
  createRevision: number,
  modRevision: number,
  version: number,
  lease: bigint,
): Sample {
  const message = {
    key: Buffer.from(key, 'latin1'),
    createRevision: BigInt(createRevision),
    modRevision: BigInt(modRevision),
    version: BigInt(version),
    value,
    lease,
  }
  const encoded = toBinary(KeyValueSchema, create(KeyValueSchema, message))
  let encodings = 0
  return {
    message,
    encodings: () => encodings,
    version: {
      key,
      modRevision,
      sub: 0,
      createRevision,
      version,
      lease,
      encodedLength: encoded.length,
      encoded() {
        encodings++
        return encoded
      },
      value: () => value,
    },
  }
}
