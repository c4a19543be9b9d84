/**
 * Commits: one transaction each, with the fence and the slot's mark. The mark is a key that says which commit of the
 * slot took place last; a commit finds its predecessor's number there, and leaves its own. Whoever asks for the outcome
 * of a lost reply finds the commit's number, or makes the mark void, and then a request that is still on its way can no
 * longer take effect. Marks hang on the session's lease.
 */
import type { ICompare, IKeyValue, IRequestOp, ITxnResponse } from 'etcd3'
import { CoordinationError, type Entry, isCoordinationError, versionOf } from '../../../spi/index.ts'
import type { Call, Commit, CommitId, CommitOutcome, KeyChange } from '../driver.ts'
import type { Cluster } from './cluster.ts'
import { equals, holds, isPresent, revisionOf } from './compare.ts'
import type { Layout } from './layout.ts'
import { leaseOf } from './leases.ts'
import type { Reader } from './reader.ts'
import type { Values } from './values.ts'

const VOID = Buffer.from('void')

/** What a commit needs beside its own operations: its mark, and what is looked at if it is refused. */
export const OVERHEAD_OPS = 2

export class Commits {
  readonly #cluster: Cluster
  readonly #layout: Layout
  readonly #reader: Reader
  readonly #values: Values

  constructor(cluster: Cluster, layout: Layout, reader: Reader, values: Values) {
    this.#cluster = cluster
    this.#layout = layout
    this.#reader = reader
    this.#values = values
  }

  async commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    const { changes, fence, id } = commit
    const mark = this.#layout.mark(id)
    const leader = fence && this.#layout.leader(fence.service)
    const compare = [isAfter(mark, id), ...changes.flatMap((change) => this.#conditions(change))]
    if (fence !== undefined && leader !== undefined) compare.push(equals(leader, 'Create', fence.token))
    const success: IRequestOp[] = [
      { request_put: { key: mark, value: markOf(id.number), lease: leaseOf(id.session) } },
      ...changes.flatMap((change) => this.#operations(change)),
    ]
    const looked = [
      mark,
      ...(leader === undefined ? [] : [leader]),
      ...changes.map(({ key }) => this.#layout.value(key)),
    ]
    const failure = looked.map((key) => ({ request_range: { key } }))
    const answer = await this.#cluster.write(call, (etcd, options) =>
      etcd.kv.txn({ compare, success, failure }, options),
    )
    this.#reader.saw(answer.header)
    return answer.succeeded ? tookPlace(commit, answer.header.revision) : this.#refused(commit, answer)
  }

  /** Repeatable. */
  async outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    const answer = await this.#ask(commit.id, call)
    const found = answer.succeeded ? answer.responses[0]?.response_range.kvs[0] : undefined
    return found === undefined ? 'never' : tookPlace(commit, found.mod_revision)
  }

  async #ask(id: CommitId, call: Call): Promise<ITxnResponse> {
    const mark = this.#layout.mark(id)
    try {
      return await this.#cluster.read(call, (etcd, options) =>
        etcd.kv.txn(
          {
            compare: [holds(mark, markOf(id.number))],
            success: [{ request_range: { key: mark } }],
            failure: [{ request_put: { key: mark, value: VOID, lease: leaseOf(id.session) } }],
          },
          options,
        ),
      )
    } catch (error) {
      // the mark has gone with the session: whether it was there nobody knows any more
      if (!isCoordinationError(error, 'SESSION_LOST')) throw error
      const { backend } = this.#cluster
      throw new CoordinationError('SESSION_LOST', error.message, { backend, effect: 'unknown', cause: error })
    }
  }

  #refused(commit: Commit, { responses }: ITxnResponse): CommitOutcome {
    const found = responses.map(({ response_range }) => response_range.kvs[0])
    const mark = found.shift()
    if (!isMarkOf(mark, commit.id)) return this.#outOfTurn(commit, mark)
    const leader = commit.fence && found.shift()
    return {
      committed: false,
      found: new Map(commit.changes.map(({ key }, index) => [key, this.#entry(found[index])])),
      token: leader && BigInt(leader.create_revision),
    }
  }

  /** The slot is not as the commit expects it; its keys say nothing then. */
  #outOfTurn(commit: Commit, mark: IKeyValue | undefined): CommitOutcome {
    if (mark?.value.equals(markOf(commit.id.number)) === true) return tookPlace(commit, mark.mod_revision)
    const { backend } = this.#cluster
    if (mark !== undefined) {
      throw new CoordinationError('INTERNAL', 'the commit was given up before it was sent', { backend, effect: 'none' })
    }
    const message = 'the session is over, and what it had written last is forgotten'
    throw new CoordinationError('SESSION_LOST', message, { backend, effect: 'none' })
  }

  #conditions({ key, expect }: KeyChange): ICompare[] {
    const stored = this.#layout.value(key)
    if (expect === 'anything') return []
    if (expect === 'absent') return [equals(stored, 'Create', '0')]
    if (expect === 'present') return [isPresent(stored)]
    return [equals(stored, 'Mod', revisionOf(expect) ?? -1n)]
  }

  #operations({ key, become }: KeyChange): IRequestOp[] {
    const stored = this.#layout.value(key)
    if (become === 'unchanged') return []
    if (become === 'absent') return [{ request_delete_range: { key: stored } }]
    return [{ request_put: { key: stored, value: Buffer.from(become) } }]
  }

  #entry(kv: IKeyValue | undefined): Entry | undefined {
    return kv === undefined ? undefined : this.#values.entry(kv)
  }
}

function markOf(number: number): Buffer {
  return Buffer.from(String(number))
}

function isAfter(mark: Buffer, { after }: CommitId): ICompare {
  return after === 0 ? equals(mark, 'Create', '0') : holds(mark, markOf(after))
}

function isMarkOf(mark: IKeyValue | undefined, { after }: CommitId): boolean {
  return after === 0 ? mark === undefined : mark?.value.equals(markOf(after)) === true
}

/** By its mark, or at once by the answer's header. */
function tookPlace({ changes }: Commit, revision: string): CommitOutcome {
  const written = changes.filter(({ become }) => become instanceof Uint8Array)
  return { committed: true, versions: new Map(written.map(({ key }) => [key, versionOf(revision)])) }
}
