/**
 * Everything in which two right servers may differ, by name. Whatever is not listed here must be equal.
 *
 * Besides these fields: events of one watch are compared as one list, whatever answers they came in
 * (`watch-tape.ts` checks what every division must hold), and for bytes that are no message only the code is compared,
 * because the text is that of the protobuf library. HashKV is not asked for a revision that was compacted at: until
 * its next start etcd remembers what it hashed during that compaction, and answers that.
 *
 * Not sent at all: a transaction that puts a key inside a range that it deletes without end (range_end "\0"). etcd's
 * check for duplicates misses it; a compaction at that revision then loses the key's new version, and the next read of
 * it ends the process ("range failed to find revision pair").
 */

export type Treatment =
  /** Only whether it is zero is compared. */
  | 'zero or not'
  /** Only its presence is compared. */
  | 'any'
  /** Elements are compared without regard to their order. */
  | 'any order'
  /** May differ by 1, but not in its sign. */
  | 'within 1'

export interface Exception {
  /** Full name of the message type. */
  readonly message: string
  /** The field's name in generated code. */
  readonly field: string
  readonly treatment: Treatment
  readonly why: string
}

const RANDOM_ID = 'drawn by each cluster'
const OWN_STORAGE = 'a figure of the storage engine'
const OWN_LOG = 'each server has its own log'

export const EXCEPTIONS: readonly Exception[] = [
  { message: 'etcdserverpb.ResponseHeader', field: 'clusterId', treatment: 'zero or not', why: RANDOM_ID },
  { message: 'etcdserverpb.ResponseHeader', field: 'memberId', treatment: 'zero or not', why: RANDOM_ID },
  { message: 'etcdserverpb.ResponseHeader', field: 'raftTerm', treatment: 'zero or not', why: OWN_LOG },
  { message: 'etcdserverpb.Member', field: 'ID', treatment: 'zero or not', why: RANDOM_ID },
  { message: 'etcdserverpb.Member', field: 'peerURLs', treatment: 'any', why: 'Keta has no peer port' },
  { message: 'etcdserverpb.Member', field: 'clientURLs', treatment: 'any', why: 'each server has its own port' },
  { message: 'etcdserverpb.StatusResponse', field: 'version', treatment: 'any', why: 'each has its own releases' },
  { message: 'etcdserverpb.StatusResponse', field: 'leader', treatment: 'zero or not', why: RANDOM_ID },
  { message: 'etcdserverpb.StatusResponse', field: 'dbSize', treatment: 'zero or not', why: OWN_STORAGE },
  { message: 'etcdserverpb.StatusResponse', field: 'dbSizeInUse', treatment: 'any', why: OWN_STORAGE },
  { message: 'etcdserverpb.StatusResponse', field: 'raftIndex', treatment: 'zero or not', why: OWN_LOG },
  { message: 'etcdserverpb.StatusResponse', field: 'raftAppliedIndex', treatment: 'zero or not', why: OWN_LOG },
  { message: 'etcdserverpb.StatusResponse', field: 'raftTerm', treatment: 'zero or not', why: OWN_LOG },
  { message: 'etcdserverpb.HashResponse', field: 'hash', treatment: 'any', why: 'it covers the whole database file' },
  { message: 'etcdserverpb.LeaseTimeToLiveResponse', field: 'TTL', treatment: 'within 1', why: 'time passes' },
  { message: 'etcdserverpb.LeaseTimeToLiveResponse', field: 'keys', treatment: 'any order', why: 'random in etcd' },
  { message: 'etcdserverpb.LeaseLeasesResponse', field: 'leases', treatment: 'any order', why: 'equal expiries tie' },
  { message: 'etcdserverpb.AlarmResponse', field: 'alarms', treatment: 'any order', why: 'random in etcd' },
  { message: 'etcdserverpb.AuthenticateResponse', field: 'token', treatment: 'zero or not', why: 'drawn at random' },
  { message: 'etcdserverpb.StatusResponse', field: 'errors', treatment: 'any order', why: 'the order of alarms' },
]
