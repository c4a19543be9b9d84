/** Where clients and watchers of one run write down what they did: in memory for the checkers, on disk for people. */
import { appendFileSync } from 'node:fs'
import { type HistoryRecord, recordToLine } from '../checkers/history.ts'

/** Lines that may be lost if this process is killed. */
const BUFFERED_LINES = 500

export class Recorder {
  readonly file: string
  readonly #startedAt = performance.now()
  readonly #history: HistoryRecord[] = []
  #lines: string[] = []
  #processes = 0
  #unique = 0

  constructor(file: string) {
    this.file = file
  }

  get history(): readonly HistoryRecord[] {
    return this.#history
  }

  /** Nanoseconds since the beginning of the run. */
  now(): number {
    return Math.round((performance.now() - this.#startedAt) * 1e6)
  }

  newProcess(): number {
    return ++this.#processes
  }

  /** A number that was not given out before. */
  unique(): number {
    return ++this.#unique
  }

  add(record: HistoryRecord): void {
    this.#history.push(record)
    this.#lines.push(recordToLine(record))
    if (this.#lines.length >= BUFFERED_LINES) this.flush()
  }

  flush(): void {
    if (this.#lines.length === 0) return
    appendFileSync(this.file, this.#lines.join(''))
    this.#lines = []
  }
}
