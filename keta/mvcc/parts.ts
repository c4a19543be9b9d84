/** What a store consists of: the data structures that its operations, one file each, work on together. */
import { KeyIndex } from './key-index.ts'
import { MemoryValues } from './memory-values.ts'
import { RevisionSequence } from './revision-sequence.ts'
import type { ValueStore } from './value-store.ts'

/** The revision of a store that was never written. */
const FIRST_REVISION = 1
const NEVER_COMPACTED = -1

export class StoreParts {
  /** Every version is in both: by key in `index`, by revision in `sequence`. Its bytes are in `values`. */
  readonly index = new KeyIndex()
  readonly sequence = new RevisionSequence()
  readonly values: ValueStore
  revision = FIRST_REVISION
  compactRevision = NEVER_COMPACTED
  /** Keys alive at `revision`. */
  keyCount = 0
  /** While this is not 0, no version may be removed or moved. */
  openDumps = 0

  constructor(values: ValueStore = new MemoryValues()) {
    this.values = values
  }
}
