/**
 * What members of a cluster tell each other through the group protocol, as bytes: the metadata that each joins with,
 * and the assignment that one of them computes and all get. Protobuf wire format (`group-format.md`); unknown fields
 * are passed over, so that later versions can add some.
 */
import { MalformedMessage, ProtoReader } from '../bytes/proto-reader.ts'
import { ProtoWriter } from '../bytes/proto-writer.ts'
import type { Assignment, MemberInfo, RefusedMember } from '../cluster/coordination.ts'

/** Raised only when old readers would misunderstand what is written. */
const FORMAT = 1

/** A member, and the name that Kafka has given it. */
export interface GroupMember {
  readonly kafkaId: string
  readonly info: MemberInfo
}

/** As `Assignment`, without the generation (the group protocol tells it), with the names that Kafka gave. */
export interface AssignmentMessage {
  readonly leader: bigint | undefined
  readonly members: readonly GroupMember[]
  readonly refused: readonly RefusedMember[]
}

/** The bytes are of a later format than this version of the program can read. */
export class NewerGroupFormat extends Error {
  override readonly name = 'NewerGroupFormat'
  constructor(format: number) {
    super(
      `a member of the group writes format ${format}, this node reads up to ${FORMAT}: ` +
        'it is older than the others; upgrade it',
    )
  }
}

/** @param round how often this member has wished for a new generation: metadata that differ bring one about. */
export function encodeMetadata(info: MemberInfo, round: number): Buffer {
  const writer = new ProtoWriter()
  writer.intField(1, FORMAT)
  writer.messageField(2, encodeInfo(info))
  writer.intField(3, round)
  return writer.finish()
}

/** @throws NewerGroupFormat, MalformedMessage */
export function decodeMetadata(bytes: Uint8Array): MemberInfo {
  const reader = new ProtoReader(bytes)
  let format = 0
  let info: MemberInfo | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) format = readable(reader.int())
    else if (field === 2) info = decodeInfo(reader.message())
    else reader.skip()
  }
  if (format === 0 || info === undefined) throw new MalformedMessage('these are no metadata of a member')
  return info
}

export function encodeAssignment({ leader, members, refused }: AssignmentMessage): Buffer {
  const writer = new ProtoWriter()
  writer.intField(1, FORMAT)
  if (leader !== undefined) {
    writer.boolField(2, true)
    writer.bigField(3, leader)
  }
  for (const { kafkaId, info } of members) {
    const member = new ProtoWriter()
    member.stringField(1, kafkaId)
    member.messageField(2, encodeInfo(info))
    writer.messageField(4, member.finish())
  }
  for (const { memberId, startedAt, conflict } of refused) {
    const member = new ProtoWriter()
    member.bigField(1, memberId)
    member.intField(2, startedAt)
    member.stringField(3, conflict)
    writer.messageField(5, member.finish())
  }
  return writer.finish()
}

/** @throws NewerGroupFormat, MalformedMessage */
export function decodeAssignment(bytes: Uint8Array): AssignmentMessage {
  const reader = new ProtoReader(bytes)
  let format = 0
  let hasLeader = false
  let leader = 0n
  const members: GroupMember[] = []
  const refused: RefusedMember[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) format = readable(reader.int())
    else if (field === 2) hasLeader = reader.bool()
    else if (field === 3) leader = readId(reader)
    else if (field === 4) members.push(decodeMember(reader.message()))
    else if (field === 5) refused.push(decodeRefused(reader.message()))
    else reader.skip()
  }
  if (format === 0) throw new MalformedMessage('these bytes are no assignment')
  return { leader: hasLeader ? leader : undefined, members, refused }
}

export function toAssignment(generation: number, { leader, members, refused }: AssignmentMessage): Assignment {
  return { generation, leader, members: members.map(({ info }) => info), refused }
}

function encodeInfo(info: MemberInfo): Buffer {
  const writer = new ProtoWriter()
  writer.bigField(1, info.memberId)
  writer.stringField(2, info.name)
  for (const url of info.clientUrls) writer.stringField(3, url)
  writer.boolField(4, info.eligible)
  writer.intField(5, info.ledEpoch)
  writer.intField(6, info.appliedOffset + 1)
  writer.intField(7, info.startedAt)
  return writer.finish()
}

function decodeInfo(reader: ProtoReader): MemberInfo {
  let memberId = 0n
  let name = ''
  const clientUrls: string[] = []
  let eligible = false
  let ledEpoch = 0
  let appliedOffset = -1
  let startedAt = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) memberId = readId(reader)
    else if (field === 2) name = reader.text()
    else if (field === 3) clientUrls.push(reader.text())
    else if (field === 4) eligible = reader.bool()
    else if (field === 5) ledEpoch = reader.int()
    else if (field === 6) appliedOffset = reader.int() - 1
    else if (field === 7) startedAt = reader.int()
    else reader.skip()
  }
  return { memberId, name, clientUrls, eligible, ledEpoch, appliedOffset, startedAt }
}

function decodeMember(reader: ProtoReader): GroupMember {
  let kafkaId = ''
  let info: MemberInfo | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) kafkaId = reader.text()
    else if (field === 2) info = decodeInfo(reader.message())
    else reader.skip()
  }
  if (info === undefined) throw new MalformedMessage('a member without information')
  return { kafkaId, info }
}

function decodeRefused(reader: ProtoReader): RefusedMember {
  let memberId = 0n
  let startedAt = 0
  let conflict = ''
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) memberId = readId(reader)
    else if (field === 2) startedAt = reader.int()
    else if (field === 3) conflict = reader.text()
    else reader.skip()
  }
  return { memberId, startedAt, conflict }
}

/** Member ids are unsigned 64-bit numbers. */
function readId(reader: ProtoReader): bigint {
  return BigInt.asUintN(64, reader.big())
}

function readable(format: number): number {
  if (format > FORMAT) throw new NewerGroupFormat(format)
  return format
}
