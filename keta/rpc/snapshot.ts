/**
 * Maintenance.Snapshot: a backup of this member's state (state/backup.ts), in blobs, and at last their SHA-256. It is
 * made as the client takes it.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { Engine } from '../engine/api.ts'
import { SnapshotRequestSchema, SnapshotResponseSchema } from '../proto/gen/etcdserverpb/rpc_pb.js'
import { backupOf } from '../state/backup.ts'
import { type Method, type ServerStream, stream, type StreamHandler } from '../transport/transport.ts'

/** Large enough to cost little each, small enough for the receive limits of any client. */
const BLOB_BYTES = 64 * 1024

interface Blob {
  readonly remaining: number
  readonly bytes: Uint8Array
}

export function snapshot(engine: Engine, storageVersion: string): Method {
  return stream<unknown, Blob>({
    decode: (bytes) => fromBinary(SnapshotRequestSchema, bytes),
    encode({ remaining, bytes }) {
      const response = { remainingBytes: BigInt(remaining), blob: bytes, version: storageVersion }
      return toBinary(SnapshotResponseSchema, create(SnapshotResponseSchema, response))
    },
    open: (out) => new SnapshotSender(engine, out),
  })
}

class SnapshotSender implements StreamHandler<unknown> {
  readonly #engine: Engine
  readonly #out: ServerStream<Blob>
  #started = false
  #closed = false
  #room = true
  #goOn: () => void = () => undefined

  constructor(engine: Engine, out: ServerStream<Blob>) {
    this.#engine = engine
    this.#out = out
  }

  message(): void {
    if (this.#started) return
    this.#started = true
    this.#send().catch((error: unknown) => this.#out.fail(error))
  }

  halfClosed(): void {
    // The call has one request; its end says nothing about the wish for answers.
  }

  drained(): void {
    this.#room = true
    this.#goOn()
  }

  closed(): void {
    this.#closed = true
    this.#goOn()
  }

  async #send(): Promise<void> {
    // How long the backup will be is known at its end: until then this stands for it.
    const expected = this.#engine.status().dbSize
    const dump = this.#engine.dump()
    const hash = createHash('sha256')
    let sent = 0
    let held: Uint8Array = Buffer.alloc(0)
    try {
      for (const piece of backupOf(dump.chunks)) {
        for (let at = 0; at < piece.length && !this.#closed; at += BLOB_BYTES) {
          if (held.length > 0) await this.#blob(Math.max(expected - sent, BLOB_BYTES), held)
          // A copy: the blob is sent later than the dump goes on.
          held = Buffer.from(piece.subarray(at, at + BLOB_BYTES))
          hash.update(held)
          sent += held.length
        }
        if (this.#closed) return
      }
      await this.#blob(0, held)
      await this.#blob(0, hash.digest())
      this.#out.end()
    } finally {
      dump.close()
    }
  }

  async #blob(remaining: number, bytes: Uint8Array): Promise<void> {
    if (this.#closed) return
    if (!this.#out.send({ remaining, bytes })) this.#room = false
    await nextTurn()
    while (this.#mustWait()) {
      await new Promise<void>((resolve) => {
        this.#goOn = resolve
      })
    }
  }

  #mustWait(): boolean {
    return !this.#room && !this.#closed
  }
}
