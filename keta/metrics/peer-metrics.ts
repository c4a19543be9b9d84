/** The links that this node has made to the others, under etcd's names for such. */
import type { LinkObserver } from '../peer/link-observer.ts'
import { counter, type Family, gauge, histogram, type Labels } from './exposition.ts'
import { exponentialBounds, Histogram } from './histogram.ts'

const MILLISECONDS = 1000

class LinkCounts implements LinkObserver {
  readonly member: string
  /** Seconds, in etcd's buckets. */
  readonly roundTrips = new Histogram(exponentialBounds(0.0001, 2, 16))
  /** Links that are open: a node is linked anew before the old link is given up. */
  open = 0
  disconnections = 0
  sentBytes = 0
  receivedBytes = 0
  failures = 0

  constructor(memberId: bigint) {
    this.member = memberId.toString(16)
  }

  connected(): void {
    this.open++
  }

  disconnected(): void {
    this.open--
    this.disconnections++
  }

  sent(bytes: number): void {
    this.sentBytes += bytes
  }

  received(bytes: number): void {
    this.receivedBytes += bytes
  }

  roundTrip(tookMs: number): void {
    this.roundTrips.observe(tookMs / MILLISECONDS)
  }

  failed(): void {
    this.failures++
  }
}

export class PeerCounts {
  readonly #links = new Map<bigint, LinkCounts>()

  /** Of all links to that node. */
  of(memberId: bigint): LinkObserver {
    const known = this.#links.get(memberId)
    if (known !== undefined) return known
    const counts = new LinkCounts(memberId)
    this.#links.set(memberId, counts)
    return counts
  }

  families(memberId: bigint): readonly Family[] {
    const Local = memberId.toString(16)
    const each = (labels: (member: string) => Labels, value: (counts: LinkCounts) => number | Histogram) => () =>
      [...this.#links.values()].map((counts) => ({ labels: labels(counts.member), value: value(counts) }))
    const pair = (Remote: string): Labels => ({ Local, Remote })
    const to = (To: string): Labels => ({ To })
    const from = (From: string): Labels => ({ From })
    return [
      gauge(
        'etcd_network_active_peers',
        'Whether this member is connected to the other one.',
        each(pair, ({ open }) => Math.min(open, 1)),
      ),
      counter(
        'etcd_network_disconnected_peers_total',
        'Connections to the other member that have ended.',
        each(pair, ({ disconnections }) => disconnections),
      ),
      counter(
        'etcd_network_peer_sent_bytes_total',
        'Bytes of the requests to the other member.',
        each(to, ({ sentBytes }) => sentBytes),
      ),
      counter(
        'etcd_network_peer_received_bytes_total',
        'Bytes of the answers of the other member.',
        each(from, ({ receivedBytes }) => receivedBytes),
      ),
      counter(
        'etcd_network_peer_sent_failures_total',
        'Requests to the other member that have no answer.',
        each(to, ({ failures }) => failures),
      ),
      histogram(
        'etcd_network_peer_round_trip_time_seconds',
        'Until the other member has answered a ping.',
        each(to, ({ roundTrips }) => roundTrips),
      ),
    ]
  }
}
