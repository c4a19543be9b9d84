/** Requests, each with what reads its answer. */
import jute, { type JuteRecord, type Payload } from 'node-zookeeper-client/lib/jute/index.js'
import { ANY_WATCHER, OP } from './codes.ts'
import { type Stat, statOf } from './stat.ts'

export interface Operation<T> {
  readonly type: number
  readonly payload: Payload | undefined
  /** Whether it may change something. */
  readonly writes: boolean
  /** Of a reply without an error; the bytes begin behind its header. */
  read(bytes: Buffer): T
}

/** A znode's data and stat. */
export interface Node {
  /** undefined: null, which is not the same as empty. */
  readonly data: Buffer | undefined
  readonly stat: Stat
}

const { protocol } = jute

export function getData(path: string): Operation<Node> {
  return reading(OP.GET_DATA, new protocol.GetDataRequest(path, false), (bytes) => nodeAt(bytes, 0).node)
}

export function exists(path: string): Operation<Stat> {
  const payload = new protocol.ExistsRequest(path, false)
  return reading(OP.EXISTS, payload, (bytes) => statOf(filled(new protocol.ExistsResponse(), bytes).stat))
}

export interface Children {
  readonly names: readonly string[]
  readonly stat: Stat
}

export function getChildren(path: string): Operation<Children> {
  return reading(OP.GET_CHILDREN2, new protocol.GetChildren2Request(path, false), (bytes) => {
    const { children = [], stat } = filled(new protocol.GetChildren2Response(), bytes)
    return { names: children, stat: statOf(stat) }
  })
}

/** @param mode of WATCH. */
export function addWatch(path: string, mode: number): Operation<undefined> {
  // the record has the same fields: a path and a number
  return reading(OP.ADD_WATCH, new protocol.CheckVersionRequest(path, mode), nothing)
}

export function removeWatches(path: string): Operation<undefined> {
  return reading(OP.REMOVE_WATCHES, new protocol.CheckVersionRequest(path, ANY_WATCHER), nothing)
}

export function closeSession(): Operation<undefined> {
  return { type: OP.CLOSE_SESSION, payload: undefined, writes: true, read: nothing }
}

/** At an offset; used within answers of several. */
export function nodeAt(bytes: Buffer, offset: number): { readonly node: Node; readonly length: number } {
  const response = new protocol.GetDataResponse()
  const length = response.deserialize(bytes, offset)
  return { node: { data: response.data, stat: statOf(response.stat) }, length }
}

export function filled<R extends JuteRecord>(record: R, bytes: Buffer): R {
  record.deserialize(bytes, 0)
  return record
}

function reading<T>(type: number, payload: Payload, read: (bytes: Buffer) => T): Operation<T> {
  return { type, payload, writes: false, read }
}

function nothing(): undefined {
  return undefined
}
