/** The peer port over gRPC: links to the other nodes, by the addresses that these give to their clients. */
import type { Peers } from '../cluster/peers.ts'
import { type Clock, processClock } from './clock.ts'
import { grpcJsNetwork } from './grpc-js-network.ts'
import { Link } from './link.ts'
import type { LinkObserver } from './link-observer.ts'
import type { LinkTls } from './link-tls.ts'

export interface PeersOptions {
  /** That the other nodes know too; see secret.ts. */
  readonly secret: string
  /** Asked for each connection to an https URL; by default the authorities that Node.js trusts count. */
  readonly tls?: () => LinkTls
  readonly clock?: Clock
  /** Who is told of the links to that node. */
  readonly observe?: (memberId: bigint) => LinkObserver
}

export function createPeers({ secret, tls, clock = processClock, observe }: PeersOptions): Peers {
  const network = grpcJsNetwork(secret, tls)
  return {
    connect(urls, onGone, memberId) {
      const observer = memberId === undefined ? undefined : observe?.(memberId)
      return new Link(urls, onGone, { network, clock, ...(observer && { observer }) })
    },
  }
}
