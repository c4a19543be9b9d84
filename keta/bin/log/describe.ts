/** A log record for people and for programs. Values are never shown, only their sizes. */
import type { Key } from '../../bytes/key.ts'
import { decodeClaim } from '../../command/claim.ts'
import { decodeCommand } from '../../command/codec.ts'
import type { Command } from '../../command/command.ts'
import type { RequestOperation } from '../../command/operations.ts'
import { decodeRecord, digestOf } from '../../command/record.ts'
import type { LogRecord } from '../../log/log.ts'

export interface Description {
  readonly offset: number
  readonly epoch: number
  readonly seq: number
  readonly bytes: number
  /** "claim", "tick", or the kind of the command. */
  readonly kind: string
  readonly text: string
}

/** @throws RecordError for what cannot be understood. */
export function describe({ offset, bytes }: LogRecord): Description {
  const record = decodeRecord(bytes)
  const place = { offset, epoch: record.epoch, seq: record.seq, bytes: bytes.length }
  switch (record.kind) {
    case 'claim': {
      const { memberId, urls } = decodeClaim(record.payload)
      return { ...place, kind: 'claim', text: `member ${memberId.toString(16)} ${urls.join(',')}` }
    }
    case 'tick':
      return { ...place, kind: 'tick', text: `digest ${digestOf(record).toString(16).padStart(8, '0')}` }
    case 'command': {
      const command = decodeCommand(record.payload)
      return { ...place, kind: command.kind, text: textOf(command) }
    }
  }
}

/** Of a kind that is not listed nothing but its name is shown: it may hold what nobody is to read. */
function textOf(command: Command): string {
  switch (command.kind) {
    case 'put':
    case 'deleteRange':
    case 'txn':
      return operation(command)
    case 'compact':
      return `revision ${command.revision}`
    case 'leaseGrant':
      return `lease ${command.id.toString(16)} ttl ${command.ttl}`
    case 'leaseRevoke':
      return `lease ${command.id.toString(16)}`
    case 'alarm':
      return `${command.action} ${command.alarm} of member ${command.memberId.toString(16)}`
    default:
      return ''
  }
}

function operation(asked: RequestOperation): string {
  switch (asked?.kind) {
    case 'put': {
      const lease = asked.lease === 0n ? '' : ` lease ${asked.lease.toString(16)}`
      return `${quoted(asked.key)} value of ${asked.value.length} bytes${lease}`
    }
    case 'deleteRange':
    case 'range':
      return asked.rangeEnd === '' ? quoted(asked.key) : `${quoted(asked.key)} to ${quoted(asked.rangeEnd)}`
    case 'txn': {
      const branch = (operations: readonly RequestOperation[]): string =>
        operations.map((each) => `${each?.kind ?? 'nothing'} ${operation(each)}`).join('; ')
      const keys = asked.compare.map(({ key }) => quoted(key)).join(', ')
      return `if [${keys}] then [${branch(asked.success)}] else [${branch(asked.failure)}]`
    }
    case undefined:
      return ''
  }
}

/** Printable ASCII as it is, other bytes as \xNN. */
function quoted(key: Key): string {
  const escaped = key.replace(/[^ !#-[\]-~]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return `"${escaped}"`
}
