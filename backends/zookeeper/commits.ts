/**
 * Commits: one multi each, with the fence and the slot's mark. The mark is an ephemeral znode of the session that says
 * which commit of the slot took place last; a commit finds its predecessor's number there, and leaves its own. Whoever
 * asks for the outcome of a lost reply finds the commit's number, or makes the mark void, and then a request that is
 * still on its way can no longer take effect. All of it goes over the session's own connection: who has lost the
 * session can no longer commit.
 */
import { CoordinationError, type Entry, type Version, versionOf } from '../../spi/index.ts'
import type { Call, Commit, CommitId, CommitOutcome, KeyChange } from '../shared/driver.ts'
import { again, MOVED, type Pace } from './again.ts'
import type { ZkClient } from './connection/client.ts'
import { BACKEND, sessionLost } from './connection/errors.ts'
import type { Furniture } from './furniture.ts'
import type { Layout } from './layout.ts'
import { pathsOf, Plan, type Snapshot } from './plan.ts'
import { MODE } from './protocol/codes.ts'
import { create, type Part, setData } from './protocol/multi.ts'
import { getData, type Node } from './protocol/operations.ts'
import { agree, found, lookAt, nodeOf, transact } from './reads.ts'
import type { Sessions } from './sessions.ts'
import type { Values } from './values.ts'

export interface CommitsOptions {
  readonly pace: Pace
  readonly layout: Layout
  readonly sessions: Sessions
  readonly values: Values
  readonly furniture: Furniture
}

const VOID = Buffer.from('void')

export class Commits {
  readonly #options: CommitsOptions

  constructor(options: CommitsOptions) {
    this.#options = options
  }

  commit(commit: Commit, call: Call): Promise<CommitOutcome> {
    const { pace, layout, sessions, furniture } = this.#options
    return again<CommitOutcome>(pace, call, async (limits, count) => {
      const client = sessions.clientOf(commit.id.session)
      const seen = await this.#look(client, commit, limits)
      if (!hasAllGuards(layout, seen)) {
        await furniture.make([], limits)
        return MOVED
      }
      const stops = this.#stops(commit, seen)
      if (stops !== undefined) {
        // after the first time there has been a multi, and with it this server has caught up
        if (count > 1) return stops()
        await agree(client, layout.root, limits)
        const later = await this.#look(client, commit, limits)
        return this.#stops(commit, later)?.() ?? MOVED
      }
      const outcome = await transact(client, this.#parts(commit, seen), limits)
      return outcome.done ? tookPlace(commit, outcome.stats[0]?.mzxid ?? 0n) : MOVED
    })
  }

  /** Repeatable. Only to the driver that has opened the session. */
  outcomeOf(commit: Commit, call: Call): Promise<CommitOutcome | 'never'> {
    const { pace, layout, sessions } = this.#options
    const path = layout.mark(commit.id)
    return again<CommitOutcome | 'never'>(pace, call, async (limits) => {
      const client = sessions.clientOf(commit.id.session, 'unknown')
      try {
        const mark = found(await client.send(getData(path), limits))
        if (mark?.data?.equals(numbered(commit.id.number)) === true) return tookPlace(commit, mark.stat.mzxid)
        if (mark?.data?.equals(VOID) === true) return 'never'
        const outcome = await transact(client, [this.#write(path, mark, VOID)], limits)
        return outcome.done ? 'never' : MOVED
      } catch (error) {
        // the mark has gone with the session: whether it was there nobody knows any more
        throw client.isOver ? sessionLost('unknown') : error
      }
    })
  }

  /** All that matters, at one moment. */
  async #look(client: ZkClient, { id, changes, fence }: Commit, call: Call): Promise<Snapshot> {
    const { layout } = this.#options
    const leader = fence === undefined ? [] : [layout.leader(fence.service)]
    const guards = leader.map((path) => layout.guardOf(path))
    const paths = [...new Set([layout.mark(id), ...leader, ...guards, ...pathsOf(layout, changes)])]
    const seen = found(await client.send(lookAt(paths), call)) ?? []
    return new Map(paths.map((path, index) => [path, nodeOf(seen[index])]))
  }

  /** Why it cannot take place, or has already; undefined: nothing stands in the way. */
  #stops(commit: Commit, seen: Snapshot): (() => CommitOutcome) | undefined {
    const { layout, values } = this.#options
    const mark = seen.get(layout.mark(commit.id))
    if (!isMarkOf(mark, commit.id)) return () => outOfTurn(commit, mark)
    const { changes, fence } = commit
    const found = new Map(changes.map(({ key }) => [key, values.entry(key, seen.get(layout.value(key)))]))
    const token = fence && seen.get(layout.leader(fence.service))?.stat.czxid
    const holds = changes.every((change) => isExpected(change, found.get(change.key)))
    if (holds && fence?.token === token) return undefined
    return () => ({ committed: false, found, token })
  }

  #parts({ id, changes, fence }: Commit, seen: Snapshot): readonly Part[] {
    const { layout, furniture } = this.#options
    const plan = new Plan(layout, seen, furniture.acl)
    if (fence !== undefined) plan.stays(layout.leader(fence.service))
    plan.change(changes)
    const mark = layout.mark(id)
    return [this.#write(mark, seen.get(mark), numbered(id.number)), ...plan.parts]
  }

  #write(path: string, mark: Node | undefined, value: Buffer): Part {
    if (mark !== undefined) return setData(path, value, mark.stat.version)
    return create(path, value, this.#options.furniture.acl, MODE.EPHEMERAL)
  }
}

function hasAllGuards(layout: Layout, seen: Snapshot): boolean {
  return [...seen.keys()].every(
    (path) => seen.get(layout.guardOf(path)) !== undefined || !seen.has(layout.guardOf(path)),
  )
}

function numbered(number: number): Buffer {
  return Buffer.from(String(number))
}

function isMarkOf(mark: Node | undefined, { after }: CommitId): boolean {
  return after === 0 ? mark === undefined : mark?.data?.equals(numbered(after)) === true
}

function isExpected({ expect }: KeyChange, entry: Entry | undefined): boolean {
  if (expect === 'anything') return true
  if (expect === 'absent') return entry === undefined
  if (expect === 'present') return entry !== undefined
  return entry?.version === expect
}

/** The slot is not as the commit expects it; its keys say nothing then. */
function outOfTurn(commit: Commit, mark: Node | undefined): CommitOutcome {
  if (mark === undefined) throw sessionLost('none')
  if (mark.data?.equals(numbered(commit.id.number)) === true) return tookPlace(commit, mark.stat.mzxid)
  const message = 'the commit was given up before it was sent'
  throw new CoordinationError('INTERNAL', message, { backend: BACKEND, effect: 'none' })
}

function tookPlace({ changes }: Commit, zxid: bigint): CommitOutcome {
  const version: Version = versionOf(zxid.toString())
  const written = changes.filter(({ become }) => become instanceof Uint8Array)
  return { committed: true, versions: new Map(written.map(({ key }) => [key, version])) }
}
