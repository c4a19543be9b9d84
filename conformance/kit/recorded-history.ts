/** A history that is being recorded, and its form as JSON lines. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isCoordinationError } from '../../spi/index.ts'
import type { History, Operation } from './history.ts'
import { machineNow } from './machine-time.ts'
import type { RemoteEvent } from './party.ts'
import type { Waits } from './waits.ts'

export interface RecordedHistory extends History {
  /** A callback in another process. */
  addEvent(process: string, event: RemoteEvent): void
  /** Writes everything, one JSON object a line, in the order of invocation. @returns the path. */
  save(folder: string, name: string): string
}

interface Note {
  readonly at: number
  readonly about: Readonly<Record<string, unknown>>
}

/** @param waits is told of operations under way. */
export function recordHistory(waits: Pick<Waits, 'track'>): RecordedHistory {
  const done: Operation[] = []
  const pending = new Set<Operation>()
  const notes: Note[] = []
  const operations = () => [...done, ...pending].sort((a, b) => a.invokedAt - b.invokedAt)
  return {
    get operations() {
      return operations()
    },
    async record(about, call) {
      // as long as it has not returned it may take effect at any time
      const started: Operation = { ...about, invokedAt: machineNow(), returnedAt: Infinity, outcome: 'unknown' }
      pending.add(started)
      try {
        const output = await waits.track(`${about.process}: ${about.op} ${about.key}`, call())
        done.push({ ...started, returnedAt: machineNow(), outcome: 'ok', output })
        return output
      } catch (error) {
        const outcome = isCoordinationError(error) ? error.effect : 'unknown'
        done.push({ ...started, returnedAt: machineNow(), outcome, error: brief(error) })
        throw error
      } finally {
        pending.delete(started)
      }
    },
    note(about) {
      notes.push({ at: machineNow(), about })
    },
    addEvent(process, { at, type, ...about }) {
      notes.push({ at, about: { process, event: type, ...about } })
    },
    save(folder, name) {
      const lines = [
        ...operations().map((operation) => ({ at: operation.invokedAt, line: { type: 'operation', ...operation } })),
        ...notes.map(({ at, about }) => ({ at, line: { type: 'note', at, ...about } })),
      ].sort((a, b) => a.at - b.at)
      mkdirSync(folder, { recursive: true })
      const path = join(folder, name)
      writeFileSync(path, lines.map(({ line }) => `${JSON.stringify(plain(line))}\n`).join(''))
      return path
    },
  }
}

/** What JSON can hold of a value, so that a reader still knows what it was. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value === Infinity) return 'never'
  if (typeof value === 'function' || typeof value === 'symbol') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (value instanceof Error) return brief(value)
  if (value instanceof Map) return { map: [...value].map(plain) }
  if (value instanceof Set) return [...value].map(plain)
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

function brief(error: unknown): string {
  if (isCoordinationError(error)) return `${error.code} (effect ${error.effect}): ${error.message}`
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
