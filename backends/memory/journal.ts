/**
 * The operations of a store in a file, each written before it is answered: what was acknowledged survives the death of
 * the process (not of the machine: the file is not synced). A last one that was cut off in its writing had no answer,
 * and is dropped.
 */
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { isOperation, type Operation, perform } from './operations.ts'
import { encodeFrame, FrameReader } from './protocol.ts'
import type { Store } from './store.ts'
import type { OperationLog } from './store-host.ts'

export class Journal implements OperationLog, Disposable {
  readonly #file: number
  #length: number

  private constructor(file: number, length: number) {
    this.#file = file
    this.#length = length
  }

  /** Does to the empty store all that the file tells of, and goes on writing there. */
  static open(path: string, store: Store): Journal {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
    const reader = new FrameReader()
    for (const record of reader.push(bytes)) replay(store, record, path)
    const file = openSync(path, bytes.length === 0 ? 'a' : 'r+')
    const length = bytes.length - reader.left
    ftruncateSync(file, length)
    return new Journal(file, length)
  }

  append(operation: Operation, args: readonly unknown[]): void {
    const frame = encodeFrame([operation, args])
    for (let at = 0; at < frame.length; ) at += writeSync(this.#file, frame, at, frame.length - at, this.#length + at)
    this.#length += frame.length
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

function replay(store: Store, record: unknown, path: string): void {
  const [operation, args] = Array.isArray(record) ? (record as unknown[]) : []
  if (!isOperation(operation) || !Array.isArray(args)) throw new Error(`${path} is not a journal of this store`)
  try {
    perform(store, operation, args as never)
  } catch {
    // refused again, as it was the first time: the store is deterministic
  }
}
