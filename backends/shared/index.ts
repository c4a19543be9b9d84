/** For implementers of a backend: the port of a store, and everything that is built on it. See README.md. */
export { asCoordinationError } from './calls.ts'
export type {
  Call,
  ChangeSource,
  Commit,
  CommitId,
  CommitOutcome,
  Follow,
  FollowSink,
  Holder,
  KeyChange,
  ReadCall,
  ScanPage,
  ScanRange,
  Seat,
  Seated,
  SeatStore,
  SessionGrant,
  SessionStore,
  StoreDriver,
  ValueStore,
} from './driver.ts'
export {
  CompactedError,
  followByRevision,
  type FollowContext,
  type RevisionSink,
  type RevisionSource,
} from './follow-by-revision.ts'
export { AbstractPluginLocator } from './plugin-locator.ts'
