/**
 * The commands whose messages the server fills in before they are logged (it chooses lease ids, raises TTLs, names the
 * member of an alarm): etcd's LeaseGrantRequest, LeaseRevokeRequest and AlarmRequest, decoded and encoded.
 * The decoders throw MalformedMessage.
 */
import { writeInt64 } from '../bytes/int64.ts'
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { AlarmCommand, LeaseGrantCommand, LeaseRevokeCommand } from './command.ts'

const ACTION_ACTIVATE = 1
const ACTION_DEACTIVATE = 2

export function encodeLeaseGrant(command: LeaseGrantCommand): Buffer {
  const writer = new ProtoWriter(24)
  writeInt64(writer, 1, command.ttl)
  writer.bigField(2, command.id)
  return writer.finish()
}

export function decodeLeaseGrant(bytes: Uint8Array): LeaseGrantCommand {
  const reader = new ProtoReader(bytes)
  let ttl = 0
  let id = 0n
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) ttl = reader.int()
    else if (field === 2) id = reader.big()
    else reader.skip()
  }
  return { kind: 'leaseGrant', id, ttl }
}

export function encodeLeaseRevoke(command: LeaseRevokeCommand): Buffer {
  const writer = new ProtoWriter(16)
  writer.bigField(1, command.id)
  return writer.finish()
}

export function decodeLeaseRevoke(bytes: Uint8Array): LeaseRevokeCommand {
  const reader = new ProtoReader(bytes)
  let id = 0n
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.big()
    else reader.skip()
  }
  return { kind: 'leaseRevoke', id }
}

export function encodeAlarm(command: AlarmCommand): Buffer {
  const writer = new ProtoWriter(32)
  writer.intField(1, command.action === 'activate' ? ACTION_ACTIVATE : ACTION_DEACTIVATE)
  writer.bigField(2, BigInt.asIntN(64, command.memberId))
  writer.intField(3, command.alarm)
  return writer.finish()
}

/** The member id is unsigned. */
export function decodeAlarm(bytes: Uint8Array): AlarmCommand {
  const reader = new ProtoReader(bytes)
  let action = 0
  let memberId = 0n
  let alarm = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) action = reader.int32()
    else if (field === 2) memberId = BigInt.asUintN(64, reader.big())
    else if (field === 3) alarm = reader.int32()
    else reader.skip()
  }
  if (action !== ACTION_ACTIVATE && action !== ACTION_DEACTIVATE) {
    throw new MalformedMessage(`alarm action ${action} does not change the state`)
  }
  return { kind: 'alarm', action: action === ACTION_ACTIVATE ? 'activate' : 'deactivate', memberId, alarm }
}
