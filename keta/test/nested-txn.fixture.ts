/** Transactions nested deeper than any library would encode them. */

const SUCCESS_TAG = 0x12
const REQUEST_TXN_TAG = 0x22

/** A TxnRequest whose only operation is a transaction whose only operation is … `depth` times. */
export function nestedTxn(depth: number): Buffer {
  const lengths: { readonly txn: number; readonly operation: number }[] = []
  let txn = 0
  for (let level = 0; level < depth; level++) {
    const operation = 1 + varint(txn).length + txn
    lengths.push({ txn, operation })
    txn = 1 + varint(operation).length + operation
  }
  const headers = lengths
    .reverse()
    .map((level) =>
      Buffer.concat([
        Buffer.from([SUCCESS_TAG]),
        varint(level.operation),
        Buffer.from([REQUEST_TXN_TAG]),
        varint(level.txn),
      ]),
    )
  return Buffer.concat(headers)
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}
