/**
 * The connections of a node to the others of its cluster: one to each, kept before it is needed, because a lead that
 * changes hands while connections are being made is a pause that every client feels.
 */
import type { PeerLink, Peers } from '../cluster/peers.ts'
import type { Clock, Timer } from './ports.ts'

/** Where a node is reached. */
export interface Reachable {
  readonly memberId: bigint
  readonly urls: readonly string[]
}

export interface PeerLinksPorts {
  readonly self: bigint
  readonly peers: Peers
  readonly clock: Clock
  /** The process of the leader is most likely dead. */
  readonly onLeaderGone: (leader: Reachable) => void
}

interface Kept extends Reachable {
  readonly link: PeerLink
}

/**
 * A leader that was deposed, if it lives, has read so by then and says what became of the requests that it was sent;
 * of one that stands still nobody shall wait for them.
 */
const LAST_ANSWERS_MS = 2_000

export class PeerLinks {
  readonly #ports: PeerLinksPorts
  readonly #kept = new Map<bigint, Kept>()
  readonly #retired = new Map<PeerLink, Timer>()
  #members: readonly Reachable[] = []
  #leader: Reachable | undefined
  #closed = false

  constructor(ports: PeerLinksPorts) {
    this.#ports = ports
  }

  /** The connection to whoever leads, if that is another node. */
  get leader(): PeerLink | undefined {
    return this.#leader === undefined ? undefined : this.#kept.get(this.#leader.memberId)?.link
  }

  /** Keeps connections to these nodes, and to none but them and the leader. */
  keep(members: readonly Reachable[]): void {
    this.#members = members.filter(({ memberId }) => memberId !== this.#ports.self)
    this.#update()
  }

  /** Another node leads now; undefined: this one does, or nobody. */
  follow(leader: Reachable | undefined): void {
    const previous = this.#leader?.memberId
    this.#leader = leader?.memberId === this.#ports.self ? undefined : leader
    if (previous !== undefined && previous !== this.#leader?.memberId) this.#retire(previous)
    this.#update()
  }

  /** The connection to a node that is kept, or that will be until the next `keep` or `follow`. */
  to({ memberId, urls }: Reachable): PeerLink {
    const known = this.#kept.get(memberId)
    if (known !== undefined && known.urls.join() === urls.join()) return known.link
    this.#retire(memberId)
    const onGone = (): void => {
      if (this.#leader?.memberId === memberId && this.leader === link) this.#ports.onLeaderGone(this.#leader)
    }
    const link = this.#ports.peers.connect(urls, onGone, memberId)
    this.#kept.set(memberId, { memberId, urls, link })
    return link
  }

  close(): void {
    this.#closed = true
    for (const [link, timer] of this.#retired) {
      timer.cancel()
      link.close()
    }
    for (const { link } of this.#kept.values()) link.close()
    this.#kept.clear()
  }

  #update(): void {
    if (this.#closed) return
    // Where the leader is reached the log says: it may know better than a member list that was made before.
    const others = this.#members.filter(({ memberId }) => memberId !== this.#leader?.memberId)
    const wanted = this.#leader === undefined ? others : [...others, this.#leader]
    for (const memberId of [...this.#kept.keys()]) {
      if (!wanted.some((node) => node.memberId === memberId)) this.#retire(memberId)
    }
    for (const node of wanted) this.to(node)
  }

  #retire(memberId: bigint): void {
    const kept = this.#kept.get(memberId)
    if (kept === undefined) return
    const { link } = kept
    this.#kept.delete(memberId)
    const timer = this.#ports.clock.setTimer(LAST_ANSWERS_MS, () => {
      this.#retired.delete(link)
      link.close()
    })
    this.#retired.set(link, timer)
  }
}
