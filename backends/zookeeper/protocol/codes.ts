/** Numbers of ZooKeeper's protocol: those that node-zookeeper-client has no names for too. */

export const OP = {
  CREATE: 1,
  DELETE: 2,
  EXISTS: 3,
  GET_DATA: 4,
  SET_DATA: 5,
  GET_CHILDREN: 8,
  PING: 11,
  GET_CHILDREN2: 12,
  CHECK: 13,
  MULTI: 14,
  CREATE2: 15,
  REMOVE_WATCHES: 18,
  MULTI_READ: 22,
  AUTH: 100,
  ADD_WATCH: 106,
  CLOSE_SESSION: -11,
  ERROR: -1,
} as const

/** Request numbers that are not ours to give. */
export const XID = { NOTIFICATION: -1, PING: -2, AUTH: -4 } as const

/** What a reply's `err` may be. */
export const ERR = {
  OK: 0,
  /** Of an operation of a multi: another one failed. */
  ROLLED_BACK: -2,
  UNIMPLEMENTED: -6,
  NO_NODE: -101,
  NO_AUTH: -102,
  BAD_VERSION: -103,
  NODE_EXISTS: -110,
  NOT_EMPTY: -111,
  SESSION_EXPIRED: -112,
  AUTH_FAILED: -115,
  SESSION_MOVED: -118,
  REQUEST_TIMEOUT: -122,
  AUTH_REQUIRED: -124,
  QUOTA_EXCEEDED: -125,
  THROTTLED: -127,
} as const

/** Flags of a creation. */
export const MODE = { PERSISTENT: 0, EPHEMERAL: 1 } as const

/** Versions of conditional operations begin at 0. */
export const ANY_VERSION = -1

export const WATCH = { PERSISTENT: 0, PERSISTENT_RECURSIVE: 1 } as const
/** Of a removal of watches: all kinds. */
export const ANY_WATCHER = 3
