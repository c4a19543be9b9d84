/**
 * Commits: one transaction each, with the fence and a mark of its own. The mark is a key that the commit creates and
 * that must not be there before it: whoever asks for the outcome of a lost reply finds the mark, or puts another in its
 * place, and then a request that is still on its way can no longer take effect. Marks hang on the session's lease, and
 * each commit removes those of its slot's earlier ones.
 */
import type { ICompare, IKeyValue, IRequestOp, ITxnResponse } from 'etcd3'
import { CoordinationError, type Entry, isCoordinationError, versionOf } from '../../../spi/index.ts'
import type { Call, Commit, CommitOutcome, KeyChange } from '../driver.ts'
import type { Cluster } from './cluster.ts'
import { equals, isPresent, revisionOf } from './compare.ts'
import type { Layout } from './layout.ts'
import { leaseOf } from './leases.ts'
import type { Reader } from './reader.ts'
import type { Values } from './values.ts'

const COMMITTED = Buffer.from('committed')
const VOID = Buffer.from('void')

/** What a commit needs beside its own operations: its mark, and the earlier marks or the fence. */
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
    const compare = [equals(mark, 'Create', '0'), ...changes.flatMap((change) => this.#conditions(change))]
    if (fence !== undefined && leader !== undefined) compare.push(equals(leader, 'Create', fence.token))
    const success: IRequestOp[] = [
      { request_put: { key: mark, value: COMMITTED, lease: leaseOf(id.session) } },
      { request_delete_range: this.#layout.earlierMarks(id) },
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
    return answer.succeeded ? committedNow(changes, answer) : this.#refused(commit, answer)
  }

  /** Repeatable. */
  async outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    const mark = this.#layout.mark(commit.id)
    const put = { key: mark, value: VOID, lease: leaseOf(commit.id.session) }
    const answer = await this.#ask(mark, put, call)
    if (answer.succeeded) return 'never'
    const found = answer.responses[0]?.response_range.kvs[0]
    return (found && outcomeBy(commit, found)) ?? 'never'
  }

  async #ask(mark: Buffer, put: { key: Buffer; value: Buffer; lease: string }, call: Call): Promise<ITxnResponse> {
    try {
      return await this.#cluster.read(call, (etcd, options) =>
        etcd.kv.txn(
          {
            compare: [equals(mark, 'Create', '0')],
            success: [{ request_put: put }],
            failure: [{ request_range: { key: mark } }],
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
    if (mark !== undefined) return this.#marked(commit, mark)
    const leader = commit.fence && found.shift()
    return {
      committed: false,
      found: new Map(commit.changes.map(({ key }, index) => [key, this.#entry(found[index])])),
      token: leader && BigInt(leader.create_revision),
    }
  }

  /** The commit has been there before: it took place, or was declared void. Its keys say nothing then. */
  #marked(commit: Commit, mark: IKeyValue): CommitOutcome {
    const outcome = outcomeBy(commit, mark)
    if (outcome !== undefined) return outcome
    const { backend } = this.#cluster
    throw new CoordinationError('INTERNAL', 'the commit was given up before it was sent', { backend, effect: 'none' })
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

/** The outcome that a mark stands for; undefined: never. */
function outcomeBy({ changes }: Commit, mark: IKeyValue): CommitOutcome | undefined {
  if (!mark.value.equals(COMMITTED)) return undefined
  return { committed: true, versions: versionsOf(changes, mark.mod_revision), removed: 'unknown' }
}

function committedNow(changes: readonly KeyChange[], { header, responses }: ITxnResponse): CommitOutcome {
  // behind the mark's put and the earlier marks' removal
  const answers = responses.slice(OVERHEAD_OPS)
  const operations = changes.filter(({ become }) => become !== 'unchanged')
  const removed = operations.filter(
    ({ become }, index) => become === 'absent' && answers[index]?.response_delete_range.deleted !== '0',
  )
  return {
    committed: true,
    versions: versionsOf(changes, header.revision),
    removed: new Set(removed.map(({ key }) => key)),
  }
}

function versionsOf(changes: readonly KeyChange[], revision: string) {
  const written = changes.filter(({ become }) => become instanceof Uint8Array)
  return new Map(written.map(({ key }) => [key, versionOf(revision)]))
}
