/** The names by which two nodes find each other's stream. */
export const PEER_SERVICE = 'keta.Peer'
export const EXCHANGE = 'Exchange'

/** Request metadata with the version that the asker speaks. */
export const VERSION_METADATA = 'keta-peer-version'
/** Of the protocol in `peer.md`. */
export const VERSION = '2'

/** Request metadata that shows that the asker is a node of the cluster; see `peer.md`. */
export const SECRET_METADATA = 'keta-peer-secret'
