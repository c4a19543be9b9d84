/** The peer port over gRPC: links to the other nodes, by the addresses that these give to their clients. */
import type { ChannelCredentials } from '@grpc/grpc-js'

import type { Peers } from '../cluster/peers.ts'
import { type Clock, processClock } from './clock.ts'
import { grpcJsNetwork } from './grpc-js-network.ts'
import { Link } from './link.ts'

export interface PeersOptions {
  /** For https URLs; by default they are verified against the certificate authorities of the system. */
  readonly credentials?: ChannelCredentials
  readonly clock?: Clock
}

export function createPeers({ credentials, clock = processClock }: PeersOptions = {}): Peers {
  const network = grpcJsNetwork(credentials)
  return { connect: (urls, onGone) => new Link(urls, onGone, { network, clock }) }
}
