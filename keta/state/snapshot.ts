/** Restores the state from the chunks of a dump, handed in one by one as they are read. */
import { MalformedMessage } from '../bytes/proto-reader.ts'
import { DumpError } from '../mvcc/dump-error.ts'
import { StoreLoader } from '../mvcc/store-loader.ts'
import type { ValueStore } from '../mvcc/value-store.ts'
import type { StateJournal } from './journal.ts'
import { restoreState } from './restore.ts'
import { decodeHeader, SnapshotError, type SnapshotHeader } from './snapshot-header.ts'
import type { StateMachine } from './state-machine.ts'

export { SnapshotError } from './snapshot-header.ts'

export class SnapshotLoader {
  #header: SnapshotHeader | undefined
  readonly #store: StoreLoader
  readonly #journal: StateJournal | undefined

  /**
   * @param values where the versions will lie: in memory unless given.
   * @param journal told of the state once it is loaded, and then of what is applied to it.
   */
  constructor(values?: ValueStore, journal?: StateJournal) {
    this.#store = new StoreLoader(values)
    this.#journal = journal
  }

  /** The chunks must come whole and in order. @throws SnapshotError */
  add(chunk: Uint8Array): void {
    asSnapshotError(() => {
      if (this.#header === undefined) this.#header = decodeHeader(chunk)
      else this.#store.add(chunk)
    })
  }

  /** All chunks have been added. @throws SnapshotError */
  finish(): StateMachine {
    const header = this.#header
    if (header === undefined) throw new SnapshotError('GARBLED_SNAPSHOT', 'the snapshot has no chunks')
    const store = asSnapshotError(() => this.#store.finish())
    const state = restoreState(header, store, this.#journal)
    this.#journal?.loaded(state)
    return state
  }
}

/** Whatever a decoder finds wrong means that the snapshot cannot be used. */
function asSnapshotError<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof MalformedMessage || error instanceof DumpError)) throw error
    const newer = error instanceof DumpError && error.code === 'UNKNOWN_DUMP_FORMAT'
    const code = newer ? 'UNSUPPORTED_SNAPSHOT' : 'GARBLED_SNAPSHOT'
    throw new SnapshotError(code, `unusable snapshot: ${error.message}`, { cause: error })
  }
}
