/**
 * The header of every answer. Cluster and member id never change, so they are encoded once; revision and term change
 * with writes only, so that the encoding of the last pair serves all answers until the next.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'

import { ProtoReader } from '../bytes/proto-reader.ts'
import { intFieldLength, ProtoWriter } from '../bytes/proto-writer.ts'
import type { Engine } from '../engine/api.ts'
import type { ResponseHeaderSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'

/** Of every answer. */
const HEADER = 1

const CLUSTER_ID = 1
const MEMBER_ID = 2
const REVISION = 3
const RAFT_TERM = 4

export type HeaderMessage = MessageInitShape<typeof ResponseHeaderSchema>

export class Headers {
  readonly #engine: Pick<Engine, 'identity' | 'revision' | 'term'>
  readonly #identity: Uint8Array
  #encoded: Uint8Array = new Uint8Array(0)
  #revision = -1
  #term = -1

  constructor(engine: Pick<Engine, 'identity' | 'revision' | 'term'>) {
    this.#engine = engine
    const { clusterId, memberId } = engine.identity
    const writer = new ProtoWriter(32)
    // As int64: the same 64 bits, and the same varint.
    writer.bigField(CLUSTER_ID, BigInt.asIntN(64, clusterId))
    writer.bigField(MEMBER_ID, BigInt.asIntN(64, memberId))
    this.#identity = writer.finish()
  }

  /** The encoded header; with revision 0 the field is absent. Not to be written to. */
  encoded(revision: number): Uint8Array {
    const { term } = this.#engine
    if (revision !== this.#revision || term !== this.#term) {
      const writer = new ProtoWriter(64)
      writer.raw(this.#identity)
      writer.intField(REVISION, revision)
      writer.intField(RAFT_TERM, term)
      this.#encoded = writer.finish()
      this.#revision = revision
      this.#term = term
    }
    return this.#encoded
  }

  /**
   * An answer of another member, which begins with its header, with this member's id in place of the other's: revision
   * and term stay those of the answer.
   */
  replaceIn(answer: Uint8Array): Uint8Array {
    const reader = new ProtoReader(answer)
    if (reader.next() !== HEADER) throw new Error('an answer does not begin with its header')
    const header = reader.message()
    let revision = 0
    let term = 0
    for (let field = header.next(); field !== 0; field = header.next()) {
      if (field === REVISION) revision = header.int()
      else if (field === RAFT_TERM) term = header.int()
      else header.skip()
    }
    const writer = new ProtoWriter(answer.length + 32)
    writer.beginField(HEADER, this.#identity.length + intFieldLength(revision) + intFieldLength(term))
    writer.raw(this.#identity)
    writer.intField(REVISION, revision)
    writer.intField(RAFT_TERM, term)
    writer.raw(answer.subarray(reader.position))
    return writer.finish()
  }

  message(revision: number = this.#engine.revision): HeaderMessage {
    const { identity, term } = this.#engine
    const { clusterId, memberId } = identity
    return { clusterId, memberId, revision: BigInt(revision), raftTerm: BigInt(term) }
  }
}
