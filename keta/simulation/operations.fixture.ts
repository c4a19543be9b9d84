/** Operations in the engine's words, as short as the simulation needs them. */
import { FROM_KEY_END, keyFromText, EMPTY_KEY } from '../bytes/key.ts'
import {
  COMPARE_EQUAL,
  COMPARE_MOD,
  type DeleteRangeOperation,
  type PutOperation,
  type TxnOperation,
} from '../command/operations.ts'
import type { Engine } from '../engine/api.ts'
import { range } from '../state/operations.fixture.ts'

/** All keys of the simulation are above it. */
const FIRST_KEY = 'a'

export function put(key: string, value: string, lease = 0n): PutOperation {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false }
  return { kind: 'put', key: keyFromText(key), value: Buffer.from(value), lease, ...flags }
}

export function deletion(key: string): DeleteRangeOperation {
  return { kind: 'deleteRange', key: keyFromText(key), rangeEnd: EMPTY_KEY, prevKv: false }
}

/** Writes the value if the key was last written at this revision. */
export function putIfUnchanged(key: string, modRevision: number, value: string): TxnOperation {
  const compare = {
    result: COMPARE_EQUAL,
    target: COMPARE_MOD,
    key: keyFromText(key),
    rangeEnd: EMPTY_KEY,
    operand: { field: 'modRevision', number: modRevision },
  } as const
  return { kind: 'txn', compare: [compare], success: [put(key, value)], failure: [] }
}

/** What a reader sees: everything. */
export interface Seen {
  readonly offset: number
  readonly revision: number
  /** As Oracle.state. */
  readonly state: string
  readonly values: ReadonlyMap<string, { readonly value: string; readonly modRevision: number }>
}

export function readAll(engine: Engine): Seen {
  const { response, revision } = engine.range(EVERYTHING)
  const values = new Map(
    response.kvs.map((version) => {
      const value = Buffer.from(version.value()).toString('latin1')
      return [String(version.key), { value, modRevision: version.modRevision }]
    }),
  )
  const state = [...values].map(([key, { value }]) => `${key}=${value}`).join(' ')
  return { offset: engine.appliedOffset, revision, state, values }
}

const EVERYTHING = range(FIRST_KEY, { rangeEnd: FROM_KEY_END })
