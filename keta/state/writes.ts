/** Put and delete inside an open write, after all checks: the store and the attachments of leases change together. */
import { type Key, type KeyRange, rangeOf } from '../bytes/key.ts'
import type { DeleteRangeResponse, PutResponse } from '../command/command.ts'
import type { DeleteRangeOperation, PutOperation } from '../command/operations.ts'
import { type Lessor, NO_LEASE } from '../lease/lessor.ts'
import type { ReadView, Version, WriteTxn } from '../mvcc/kv.ts'

export function put(txn: WriteTxn, leases: Lessor, operation: PutOperation): PutResponse {
  let { value, lease } = operation
  if (needsCurrent(operation)) {
    const current = txn.get(operation.key, txn.revision)
    if (current === undefined)
      throw new Error(`put with ignore_value or ignore_lease of a missing key: ${operation.key}`)
    if (operation.ignoreValue) value = current.value()
    if (operation.ignoreLease) lease = current.lease
  }
  const { previous } = txn.put(operation.key, value, lease)
  leases.move(operation.key, previous?.lease ?? NO_LEASE, lease)
  return { kind: 'put', previous: operation.prevKv ? previous : undefined }
}

export function deleteRange(txn: WriteTxn, leases: Lessor, operation: DeleteRangeOperation): DeleteRangeResponse {
  const deleted = deleteKeys(txn, leases, rangeOf(operation.key, operation.rangeEnd))
  return { kind: 'deleteRange', deleted: deleted.length, previous: operation.prevKv ? deleted : [] }
}

/** Deletes and detaches every key of the range. */
export function deleteKeys(txn: WriteTxn, leases: Lessor, range: KeyRange): readonly Version[] {
  const deleted = txn.deleteRange(range)
  for (const version of deleted) leases.move(version.key, version.lease, NO_LEASE)
  return deleted
}

/** Whether a put takes its value or lease over from a version that must exist. */
export function needsCurrent(operation: PutOperation): boolean {
  return operation.ignoreValue || operation.ignoreLease
}

/** Whether a put must be refused because there is no version to take value or lease from. */
export function lacksCurrent(view: ReadView, operation: PutOperation): boolean {
  return needsCurrent(operation) && !isAlive(view, operation.key)
}

/** Whether a put names a lease that does not exist. An expired lease exists until its revoke is applied. */
export function lacksLease(leases: Lessor, operation: PutOperation): boolean {
  return operation.lease !== NO_LEASE && !leases.has(operation.lease)
}

function isAlive(view: ReadView, key: Key): boolean {
  return view.get(key, view.revision) !== undefined
}
