/**
 * All versions of all keys in the order in which they were written, (modRevision, sub) ascending: what watchers read
 * the past from. Kept in blocks, so that removing a compacted version moves little, and appending never copies
 * everything.
 */
import type { StoredVersion } from './stored-version.ts'

const BLOCK_VERSIONS = 512
/** Neighbours are joined when together they fill no more than this. */
const JOIN_VERSIONS = BLOCK_VERSIONS / 2

type Block = StoredVersion[]

export class RevisionSequence {
  /** None is empty. */
  readonly #blocks: Block[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  append(version: StoredVersion): void {
    const last = this.#blocks[this.#blocks.length - 1]
    const newest = last?.[last.length - 1]
    if (newest !== undefined && !isBefore(newest, version.modRevision, version.sub)) {
      const positions = `${version.modRevision}.${version.sub} after ${newest.modRevision}.${newest.sub}`
      throw new Error(`versions out of order: ${positions}`)
    }
    if (last === undefined || last.length >= BLOCK_VERSIONS) this.#blocks.push([version])
    else last.push(version)
    this.#length++
  }

  /** The first version at or after that position. */
  atOrAfter(modRevision: number, sub: number): StoredVersion | undefined {
    let found: StoredVersion | undefined
    this.scan(modRevision, sub, (version) => {
      found = version
      return false
    })
    return found
  }

  /** Visits the versions from that position on until `visit` returns false; `visit` must not change the sequence. */
  scan(modRevision: number, sub: number, visit: (version: StoredVersion) => boolean): void {
    let index = Math.max(0, this.#blockOf(modRevision, sub))
    let block = this.#blocks[index]
    let slot = block === undefined ? 0 : lowerBound(block, modRevision, sub)
    while (block !== undefined) {
      for (; slot < block.length; slot++) {
        if (!visit(block[slot] as StoredVersion)) return
      }
      block = this.#blocks[++index]
      slot = 0
    }
  }

  remove(version: StoredVersion): void {
    const index = this.#blockOf(version.modRevision, version.sub)
    const block = this.#blocks[index]
    const slot = block === undefined ? 0 : lowerBound(block, version.modRevision, version.sub)
    if (block?.[slot] !== version) {
      throw new Error(`version ${version.modRevision}.${version.sub} is not in the sequence`)
    }
    block.splice(slot, 1)
    this.#length--
    if (block.length === 0) this.#blocks.splice(index, 1)
    else if (!this.#join(index - 1)) this.#join(index)
  }

  /**
   * A function that tells the position of a version in the sequence as it is now. It stays right while versions are
   * appended, not if one is removed.
   */
  positions(): (version: StoredVersion) => number {
    // A dump asks this for every version: the search among blocks must not touch the blocks.
    const starts = new Float64Array(this.#blocks.length)
    const firstRevisions = new Float64Array(this.#blocks.length)
    let start = 0
    this.#blocks.forEach((block, index) => {
      starts[index] = start
      firstRevisions[index] = (block[0] as StoredVersion).modRevision
      start += block.length
    })
    return (version) => {
      const { modRevision, sub } = version
      let index = countUpTo(firstRevisions, modRevision) - 1
      // One revision may span blocks.
      while (index > 0 && firstRevisions[index] === modRevision && sub < this.#firstSub(index)) index--
      const block = this.#blocks[index]
      const blockStart = starts[index]
      const firstRevision = firstRevisions[index]
      if (block === undefined || blockStart === undefined || firstRevision === undefined) {
        throw new Error(`version ${modRevision}.${sub} is older than all ${start} versions`)
      }
      // Mostly each revision has one change and none is compacted: then the distance is the slot.
      const guess = modRevision - firstRevision
      return blockStart + (block[guess] === version ? guess : lowerBound(block, modRevision, sub))
    }
  }

  #firstSub(index: number): number {
    return this.#blocks[index]?.[0]?.sub ?? 0
  }

  /** Index of the last block that begins at or before that position; -1 if none does. */
  #blockOf(modRevision: number, sub: number): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const first = (this.#blocks[middle] as Block)[0] as StoredVersion
      if (isBefore(first, modRevision, sub) || (first.modRevision === modRevision && first.sub === sub))
        low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #join(index: number): boolean {
    const left = this.#blocks[index]
    const right = this.#blocks[index + 1]
    if (left === undefined || right === undefined || left.length + right.length > JOIN_VERSIONS) return false
    left.push(...right)
    this.#blocks.splice(index + 1, 1)
    return true
  }
}

/** The first slot at or after that position. */
function lowerBound(block: Block, modRevision: number, sub: number): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(block[middle] as StoredVersion, modRevision, sub)) low = middle + 1
    else high = middle
  }
  return low
}

/** How many of the ascending `revisions` are ≤ `revision`. */
function countUpTo(revisions: Float64Array, revision: number): number {
  let low = 0
  let high = revisions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((revisions[middle] as number) <= revision) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether `version` was written before that position. */
export function isBefore(version: StoredVersion, modRevision: number, sub: number): boolean {
  return version.modRevision < modRevision || (version.modRevision === modRevision && version.sub < sub)
}
