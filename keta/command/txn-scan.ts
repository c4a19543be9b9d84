/**
 * Looks through an encoded etcd TxnRequest without decoding it: a node that does not lead need only know whether the
 * leader has to see it.
 */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'

/** Of TxnRequest. */
const SUCCESS = 2
const FAILURE = 3
/** Of RequestOp: the first, and the last, of its kinds. */
const RANGE = 1
const TXN = 4

/**
 * Whether both of its branches hold nothing but ranges; that is so of a transaction without operations. False for bytes
 * that cannot be looked through; of the ranges themselves nothing is said.
 */
export function holdsOnlyRanges(txn: Uint8Array): boolean {
  try {
    const reader = new ProtoReader(txn)
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field !== SUCCESS && field !== FAILURE) reader.skip()
      else if (!isRange(reader.message())) return false
    }
    return true
  } catch (error) {
    if (error instanceof MalformedMessage) return false
    throw error
  }
}

/** Of several kinds the last one counts. */
function isRange(operation: ProtoReader): boolean {
  let kind = 0
  for (let field = operation.next(); field !== 0; field = operation.next()) {
    if (field <= TXN) kind = field
    operation.skip()
  }
  return kind === RANGE
}
