/** The records of the snapshot topic as bytes: notes about saves (partition 0), and parts of chunks (partition 1). */
import { MalformedMessage, ProtoReader } from '../../bytes/proto-reader.ts'
import { ProtoWriter } from '../../bytes/proto-writer.ts'

/** Raised only when old readers would misunderstand what is written. */
const FORMAT = 1

/** A save: 16 random bytes, as hex. */
export type SaveId = string

/** A save has begun. Its parts will lie at `fromPart` or later. */
export interface Begun {
  readonly kind: 'begun'
  readonly id: SaveId
  readonly logId: string
  readonly fromPart: number
  /** Milliseconds of the writer's wall clock. */
  readonly startedAt: number
}

/** A save was read back and found good: its manifest. */
export interface Finished {
  readonly kind: 'finished'
  readonly id: SaveId
  /** Of the log whose state it is. */
  readonly logId: string
  /** The state contains the log up to and including this offset. */
  readonly offset: number
  /** In the topic: where its first part lies, and one past its last. */
  readonly fromPart: number
  readonly endPart: number
  readonly chunks: number
  readonly parts: number
  readonly sizeBytes: number
  /** CRC-32C over what `partSum` takes of all parts, in order. */
  readonly checksum: number
}

/** These saves are not needed any more, or will not be finished. */
export interface Removed {
  readonly kind: 'removed'
  readonly ids: readonly SaveId[]
}

export type Note = Begun | Finished | Removed

/** A note of a later format than this version of the program can read. */
export class NewerSnapshotFormat extends Error {
  override readonly name = 'NewerSnapshotFormat'
  constructor(format: number) {
    super(`it holds snapshots of format ${format}, this node reads up to ${FORMAT}: upgrade it`)
  }
}

const KINDS = ['begun', 'finished', 'removed'] as const

export function encodeNote(note: Note): Buffer {
  const writer = new ProtoWriter()
  writer.intField(1, FORMAT)
  writer.intField(2, KINDS.indexOf(note.kind) + 1)
  for (const id of note.kind === 'removed' ? note.ids : [note.id]) writer.bytesField(3, Buffer.from(id, 'hex'))
  if (note.kind === 'removed') return writer.finish()
  writer.stringField(4, note.logId)
  writer.intField(5, note.fromPart)
  if (note.kind === 'begun') {
    writer.intField(6, note.startedAt)
    return writer.finish()
  }
  writer.intField(7, note.offset)
  writer.intField(8, note.endPart)
  writer.intField(9, note.chunks)
  writer.intField(10, note.parts)
  writer.intField(11, note.sizeBytes)
  writer.intField(12, note.checksum)
  return writer.finish()
}

/** Undefined for a kind that a later version has added. @throws NewerSnapshotFormat, MalformedMessage */
export function decodeNote(bytes: Uint8Array): Note | undefined {
  const reader = new ProtoReader(bytes)
  const numbers = new Map<number, number>()
  const ids: SaveId[] = []
  let logId = ''
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) ids.push(Buffer.from(reader.bytes()).toString('hex'))
    else if (field === 4) logId = reader.text()
    else if (field <= 12) numbers.set(field, reader.int())
    else reader.skip()
  }
  const numberAt = (field: number): number => numbers.get(field) ?? 0
  const format = numberAt(1)
  if (format === 0) throw new MalformedMessage('this is no note about a snapshot')
  if (format > FORMAT) throw new NewerSnapshotFormat(format)
  const kind = KINDS[numberAt(2) - 1]
  if (kind === undefined) return undefined
  if (kind === 'removed') return { kind, ids }
  const [id] = ids
  if (id === undefined) throw new MalformedMessage('a note about no snapshot')
  const fromPart = numberAt(5)
  if (kind === 'begun') return { kind, id, logId, fromPart, startedAt: numberAt(6) }
  return {
    ...{ kind, id, logId, fromPart, offset: numberAt(7), endPart: numberAt(8), chunks: numberAt(9) },
    ...{ parts: numberAt(10), sizeBytes: numberAt(11), checksum: numberAt(12) },
  }
}

/** A piece of a chunk. */
export interface Part {
  /** From 0, over all chunks of the save. */
  readonly number: number
  /** Whether it ends its chunk. */
  readonly isLast: boolean
  readonly content: Uint8Array
}

const ID_BYTES = 16
const ID_AT = 1
const NUMBER_AT = ID_AT + ID_BYTES
const LAST_AT = NUMBER_AT + 4
/** What a part takes beyond its content. */
export const PART_HEADER_BYTES = LAST_AT + 1

export function encodePart(id: SaveId, { number, isLast, content }: Part): Buffer {
  const bytes = Buffer.allocUnsafe(PART_HEADER_BYTES + content.length)
  bytes[0] = FORMAT
  bytes.write(id, ID_AT, 'hex')
  bytes.writeUInt32LE(number, NUMBER_AT)
  bytes[LAST_AT] = Number(isLast)
  bytes.set(content, PART_HEADER_BYTES)
  return bytes
}

/** Undefined if it is not of this save. The content is a view. */
export function decodePart(id: SaveId, bytes: Uint8Array): Part | undefined {
  const record = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (record.length < PART_HEADER_BYTES || record[0] !== FORMAT) return undefined
  if (record.toString('hex', ID_AT, NUMBER_AT) !== id) return undefined
  return {
    number: record.readUInt32LE(NUMBER_AT),
    isLast: record[LAST_AT] === 1,
    content: record.subarray(PART_HEADER_BYTES),
  }
}

/** What of an encoded part the checksum of the save is about: all but whose it is. */
export function partSum(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(NUMBER_AT)
}
