/** What happened in a case, for its checkers and for whoever looks into a failure. */

export interface Operation {
  readonly process: string
  readonly op: string
  readonly key: string
  readonly input?: unknown
  /** Of one clock for all, milliseconds. */
  readonly invokedAt: number
  /** Infinity while it has not returned. */
  readonly returnedAt: number
  /** `unknown`: it may have taken effect, at any time from its invocation on. */
  readonly outcome: 'ok' | 'none' | 'unknown'
  readonly output?: unknown
  readonly error?: string
}

export interface History {
  readonly operations: readonly Operation[]
  /** Runs a call and records it: an error with effect `none` or `unknown` becomes the outcome, and is rethrown. */
  record<T>(about: Pick<Operation, 'process' | 'op' | 'key' | 'input'>, call: () => Promise<T>): Promise<T>
  /** Anything else worth seeing. */
  note(about: Readonly<Record<string, unknown>>): void
}
