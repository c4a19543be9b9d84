/** etcd's health endpoints: /health for what came before Kubernetes, /livez and /readyz for its probes. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { EMPTY_KEY } from '../bytes/key.ts'
import { ALARM_CORRUPT, ALARM_NOSPACE } from '../command/command.ts'
import type { RangeOperation } from '../command/operations.ts'
import type { Engine } from '../engine/api.ts'
import { send, sendError, sendNotAllowed, sendText } from './responses.ts'

/** What the checks look at. */
export type Checked = Pick<Engine, 'alarms' | 'leaderId' | 'read' | 'range'>

/** How often each outcome has been told, for the metrics. */
export interface HealthCounts {
  /** Of /health. */
  success: number
  failures: number
  /** Of /livez and /readyz, by type, name and outcome. */
  readonly checks: Map<
    string,
    { readonly type: string; readonly name: string; success: number; error: number; last: boolean }
  >
}

type Check = (engine: Checked) => void | Promise<void>

const LIVEZ: Readonly<Record<string, Check>> = { serializable_read: read(true) }

const READYZ: Readonly<Record<string, Check>> = {
  data_corruption: notCorrupt,
  serializable_read: read(true),
  linearizable_read: read(false),
  // Every member votes: there are no learners.
  non_learner: () => undefined,
}

const CHECKS: Readonly<Record<string, Readonly<Record<string, Check>>>> = { livez: LIVEZ, readyz: READYZ }

export class Health {
  readonly counts: HealthCounts = { success: 0, failures: 0, checks: new Map() }
  readonly #engine: Checked
  readonly #onDefect: (error: unknown) => void

  /** @param onDefect told of what an answer could not be made of */
  constructor(engine: Checked, onDefect: (error: unknown) => void) {
    this.#engine = engine
    this.#onDefect = onDefect
  }

  /** Answers if the path is one of these. Never throws. */
  handle(path: string, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): boolean {
    const [, type = '', name, ...rest] = path.split('/')
    if (path === '/health') {
      if (request.method === 'GET') this.#health(query, response).catch(this.#onDefect)
      else sendNotAllowed(response)
      return true
    }
    const checks = Object.hasOwn(CHECKS, type) ? CHECKS[type] : undefined
    if (checks === undefined || rest.length > 0 || (name !== undefined && !Object.hasOwn(checks, name))) return false
    const names = name === undefined ? excluding(Object.keys(checks), query) : [name]
    if (request.method === 'GET') this.#runChecks(type, names, query, response).catch(this.#onDefect)
    else sendNotAllowed(response)
    return true
  }

  async #health(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const reason = await this.#complaint(query)
    const body = JSON.stringify({ health: String(reason === ''), reason })
    if (reason === '') {
      this.counts.success++
      send(response, 200, 'text/plain; charset=utf-8', body)
    } else {
      this.counts.failures++
      sendError(response, 503, body)
    }
  }

  async #complaint(query: URLSearchParams): Promise<string> {
    const excluded = query.getAll('exclude')
    const alarm = this.#engine.alarms().find((active) => !excluded.includes(alarmName(active.alarm)))
    if (alarm !== undefined) return `ALARM ${alarmName(alarm.alarm)}`
    const serializable = query.get('serializable') === 'true'
    if (!serializable && this.#engine.leaderId === 0n) return 'RAFT NO LEADER'
    const failure = await failureOf(() => read(serializable)(this.#engine))
    return failure === undefined ? '' : `RANGE ERROR:${failure}`
  }

  async #runChecks(
    type: string,
    names: readonly string[],
    query: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> {
    const lines: string[] = []
    let passed = true
    for (const name of names) {
      const check = CHECKS[type]?.[name]
      const failure = await failureOf(() => check?.(this.#engine))
      this.#count(type, name, failure === undefined)
      passed &&= failure === undefined
      lines.push(failure === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`)
    }
    if (!passed) sendError(response, 503, lines.join(''))
    else sendText(response, 200, `${query.has('verbose') ? lines.join('') : ''}ok\n`)
  }

  #count(type: string, name: string, passed: boolean): void {
    const key = `${type}/${name}`
    const count = this.counts.checks.get(key) ?? { type, name, success: 0, error: 0, last: passed }
    count[passed ? 'success' : 'error']++
    count.last = passed
    this.counts.checks.set(key, count)
  }
}

function excluding(names: readonly string[], query: URLSearchParams): readonly string[] {
  const excluded = query.getAll('exclude')
  return names.filter((name) => !excluded.includes(name))
}

function alarmName(alarm: number): string {
  if (alarm === ALARM_NOSPACE) return 'NOSPACE'
  return alarm === ALARM_CORRUPT ? 'CORRUPT' : 'UNKNOWN'
}

function notCorrupt(engine: Checked): void {
  if (engine.alarms().some(({ alarm }) => alarm === ALARM_CORRUPT)) throw new Error('alarm activated: CORRUPT')
}

const ANY_KEY: RangeOperation = {
  kind: 'range',
  key: EMPTY_KEY,
  rangeEnd: EMPTY_KEY,
  limit: 1,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: true,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
}

/** A read that the engine answers is what shows that it works. */
function read(serializable: boolean): Check {
  return async (engine) => {
    await engine.read(serializable, () => engine.range(ANY_KEY))
  }
}

async function failureOf(check: () => void | Promise<void>): Promise<string | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
