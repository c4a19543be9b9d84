/** For tests: encodes operations with another protobuf library, always writing every field, zero or not. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { CompactOperation, Compare, RequestOperation } from './operations.ts'

type Field = readonly [field: number, value: string | Uint8Array | number | bigint | boolean]

export function encodeByHand(operation: NonNullable<RequestOperation> | CompactOperation): Uint8Array {
  switch (operation.kind) {
    case 'range': {
      const { limit, revision, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = operation
      return message([
        [1, operation.key],
        [2, operation.rangeEnd],
        [3, limit],
        [4, revision],
        [5, operation.sortOrder],
        [6, operation.sortTarget],
        [7, operation.serializable],
        [8, operation.keysOnly],
        [9, operation.countOnly],
        [10, minModRevision],
        [11, maxModRevision],
        [12, minCreateRevision],
        [13, maxCreateRevision],
      ])
    }
    case 'put': {
      const { key, value, lease, prevKv, ignoreValue, ignoreLease } = operation
      return message([
        [1, key],
        [2, value],
        [3, lease],
        [4, prevKv],
        [5, ignoreValue],
        [6, ignoreLease],
      ])
    }
    case 'deleteRange':
      return message([
        [1, operation.key],
        [2, operation.rangeEnd],
        [3, operation.prevKv],
      ])
    case 'compact':
      return message([
        [1, operation.revision],
        [2, operation.physical],
      ])
    case 'txn':
      return message([
        ...operation.compare.map((compare): Field => [1, encodeCompare(compare)]),
        ...operation.success.map((nested): Field => [2, encodeRequestOperation(nested)]),
        ...operation.failure.map((nested): Field => [3, encodeRequestOperation(nested)]),
      ])
  }
}

const UNION_FIELDS = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const
const OPERAND_FIELDS = { version: 4, createRevision: 5, modRevision: 6 } as const

function encodeRequestOperation(operation: RequestOperation): Uint8Array {
  return operation === undefined ? message([]) : message([[UNION_FIELDS[operation.kind], encodeByHand(operation)]])
}

function encodeCompare({ result, target, key, rangeEnd, operand }: Compare): Uint8Array {
  const union: Field[] = []
  if (operand?.field === 'value') union.push([7, operand.value])
  else if (operand?.field === 'lease') union.push([8, operand.lease])
  else if (operand !== undefined) union.push([OPERAND_FIELDS[operand.field], operand.number])
  return message([[1, result], [2, target], [3, key], ...union, [64, rangeEnd]])
}

function message(fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [field, value] of fields) {
    if (typeof value === 'string') writer.tag(field, WireType.LengthDelimited).bytes(Buffer.from(value, 'latin1'))
    else if (value instanceof Uint8Array) writer.tag(field, WireType.LengthDelimited).bytes(value)
    else writer.tag(field, WireType.Varint).int64(BigInt(value))
  }
  return writer.finish()
}
