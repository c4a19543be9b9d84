/** Several operations in one request: all or nothing (multi), or several looks at one moment (multiRead). */
import jute, { type JuteRecord, type Payload } from 'node-zookeeper-client/lib/jute/index.js'
import { ERR, OP } from './codes.ts'
import { type Node, nodeAt, type Operation } from './operations.ts'
import { type Stat, statOf } from './stat.ts'

export interface Part {
  readonly type: number
  readonly record: Payload
}

/** Who may do what with a node. */
export type Acl = readonly JuteRecord[]

const { protocol, data } = jute
const ALL_PERMISSIONS = 31

/** Everybody may do everything. */
export const OPEN: Acl = [new data.ACL(ALL_PERMISSIONS, new data.Id('world', 'anyone'))]
/** Only whom the connection has shown itself as. */
export const CREATOR_ONLY: Acl = [new data.ACL(ALL_PERMISSIONS, new data.Id('auth', ''))]

export function check(path: string, version: number): Part {
  return { type: OP.CHECK, record: new protocol.CheckVersionRequest(path, version) }
}

/** Its result has a stat. */
export function create(path: string, value: Buffer | undefined, acl: Acl, mode: number): Part {
  return { type: OP.CREATE2, record: new protocol.CreateRequest(path, value, acl, mode) }
}

/** Its result has a stat. */
export function setData(path: string, value: Buffer | undefined, version: number): Part {
  return { type: OP.SET_DATA, record: new protocol.SetDataRequest(path, value, version) }
}

export function remove(path: string, version: number): Part {
  return { type: OP.DELETE, record: new protocol.DeleteRequest(path, version) }
}

/** Of a multi; the first error that is not the consequence of another. */
export type MultiOutcome =
  | { readonly done: true; readonly stats: readonly (Stat | undefined)[] }
  | { readonly done: false; readonly error: number; readonly at: number }

/** All of it or nothing. Also with checks alone it goes to the leader and is agreed on by a majority. */
export function multi(parts: readonly Part[]): Operation<MultiOutcome> {
  return { type: OP.MULTI, payload: payloadOf(parts), writes: true, read: outcomeOf }
}

export type Look = { readonly data: string } | { readonly children: string }

/** What was found; a number: the error instead. */
export type Seen = Node | readonly string[] | number

/** All at one moment: a server applies no transaction within a request that reads. */
export function multiRead(looks: readonly Look[]): Operation<readonly Seen[]> {
  const parts = looks.map((look) =>
    'data' in look
      ? { type: OP.GET_DATA, record: new protocol.GetDataRequest(look.data, false) }
      : { type: OP.GET_CHILDREN, record: new protocol.GetDataRequest(look.children, false) },
  )
  return { type: OP.MULTI_READ, payload: payloadOf(parts), writes: false, read: seenOf }
}

function payloadOf(parts: readonly Part[]): Payload {
  const records = parts.flatMap(({ type, record }) => [new protocol.MultiHeader(type, false, -1), record])
  records.push(new protocol.MultiHeader(-1, true, -1))
  return {
    byteLength: () => records.reduce((sum, record) => sum + record.byteLength(), 0),
    serialize: (buffer, offset) =>
      records.reduce((written, record) => written + record.serialize(buffer, offset + written), 0),
  }
}

function outcomeOf(bytes: Buffer): MultiOutcome {
  const stats: (Stat | undefined)[] = []
  const errors: number[] = []
  eachResult(bytes, (type, offset) => {
    if (type === OP.ERROR) {
      errors.push(bytes.readInt32BE(offset))
      return 4
    }
    const { stat, length } = resultAt(type, bytes, offset)
    stats.push(stat)
    return length
  })
  const at = errors.findIndex((error) => error !== ERR.OK && error !== ERR.ROLLED_BACK)
  const error = errors[at] ?? errors[0]
  return error === undefined ? { done: true, stats } : { done: false, error, at }
}

function resultAt(type: number, bytes: Buffer, offset: number): { stat: Stat | undefined; length: number } {
  if (type === OP.SET_DATA) {
    const response = new protocol.SetDataResponse()
    const length = response.deserialize(bytes, offset)
    return { stat: statOf(response.stat), length }
  }
  if (type === OP.CREATE2) {
    const path = new protocol.CreateResponse()
    const stat = new data.Stat()
    const pathLength = path.deserialize(bytes, offset)
    const length = pathLength + stat.deserialize(bytes, offset + pathLength)
    return { stat: statOf(stat), length }
  }
  return { stat: undefined, length: 0 }
}

function seenOf(bytes: Buffer): readonly Seen[] {
  const seen: Seen[] = []
  eachResult(bytes, (type, offset) => {
    if (type === OP.ERROR) {
      seen.push(bytes.readInt32BE(offset))
      return 4
    }
    if (type === OP.GET_DATA) {
      const { node, length } = nodeAt(bytes, offset)
      seen.push(node)
      return length
    }
    const { names, length } = namesAt(bytes, offset)
    seen.push(names)
    return length
  })
  return seen
}

/** A vector of strings. */
function namesAt(bytes: Buffer, offset: number): { names: readonly string[]; length: number } {
  const names: string[] = []
  let at = offset + 4
  for (let left = bytes.readInt32BE(offset); left > 0; left--) {
    const end = at + 4 + bytes.readInt32BE(at)
    names.push(bytes.toString('utf8', at + 4, end))
    at = end
  }
  return { names, length: at - offset }
}

/** @param read returns how many bytes the result has. */
function eachResult(bytes: Buffer, read: (type: number, offset: number) => number): void {
  for (let offset = 0; ; ) {
    const header = new protocol.MultiHeader()
    offset += header.deserialize(bytes, offset)
    if (header.done) return
    offset += read(header.type, offset)
  }
}
