/** `keta log dump|tail|verify`: looks at the log of a server, wherever it has it. */
import { parseArgs } from 'node:util'
import type { Environment } from '../../config/environment.ts'
import { kafkaSettings } from '../../config/kafka.ts'
import { readInvocation } from '../../config/resolve.ts'
import { LogError } from '../../log/log.ts'
import { attempt, OK, say, wrong } from '../outcome.ts'
import { type Description, describe } from './describe.ts'
import { openDirectorySource } from './directory-source.ts'
import { openKafkaSource } from './kafka-source.ts'
import type { LogSource } from './log-source.ts'
import { verifyLog } from './verify.ts'

const HELP = `Usage:
  keta log dump WHERE [--from OFFSET] [--json]
      Print the records of the log, one a line: offset, epoch and number, kind, and what it is about. Values are not
      shown, only their sizes.
  keta log tail WHERE [-n COUNT] [-f] [--json]
      Print the last records, 10 unless told otherwise; with -f also those that come, until it is interrupted.
  keta log verify WHERE [--json]
      Replay the log as a start would: checksums, the chain of records, the rules of epochs, the digests of the state.

WHERE is one of
  --data-dir DIR
      The data directory of a server with a log of its own. The server must be stopped.
  --config FILE
      The configuration file of a server: its topic in Kafka, also while it runs, or its data directory. What the
      environment says of the server's options counts as well.

Nothing is changed.
Exit codes: 0 done, and the log is sound; 1 it is not, or cannot be read; 2 wrong command line or configuration.
`

/** To begin with, as long as the log's beginning moves. */
const ATTEMPTS = 5

type Action = (log: LogSource) => Promise<void>

/** @param words after `log`. Resolves to the exit code. */
export async function logCommand(words: readonly string[], environment: Environment): Promise<number> {
  let given
  try {
    given = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        'data-dir': { type: 'string' },
        config: { type: 'string' },
        from: { type: 'string', default: '0' },
        count: { type: 'string', short: 'n', default: '10' },
        follow: { type: 'boolean', short: 'f', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return wrong(error, HELP)
  }
  const { values, positionals } = given
  if (values.help) return say(HELP)
  const [verb, ...more] = positionals
  if (verb === undefined) return wrong('what to do is missing: dump, tail or verify', HELP)
  if (more.length > 0) return wrong(`unexpected: ${more.join(' ')}`, HELP)
  const [from, count] = [Number(values.from), Number(values.count)]
  if (!isCount(from)) return wrong(`--from: "${values.from}"; expected an offset`, HELP)
  if (!isCount(count)) return wrong(`--count: "${values.count}"; expected a whole number`, HELP)
  if (values.follow && verb !== 'tail') return wrong('-f is for tail', HELP)
  const { 'data-dir': dataDir, config } = values
  if ((dataDir === undefined) === (config === undefined)) {
    return wrong(`keta log ${verb}: expected either --data-dir or --config`, HELP)
  }
  const open = dataDir === undefined ? configured(config ?? '', environment) : () => openDirectorySource(dataDir)
  if (typeof open === 'string') return wrong(open, '')
  switch (verb) {
    case 'dump':
      return inspect(open, dump(from, values.json))
    case 'tail':
      return inspect(open, tail(count, values.follow, values.json))
    case 'verify':
      return inspect(open, verify(values.json))
    default:
      return wrong(`keta log ${verb}: expected dump, tail or verify`, HELP)
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** What opens the log of the server that the file is for; or what is wrong with the file. */
function configured(file: string, environment: Environment): (() => Promise<LogSource>) | string {
  const { resolved, problems } = readInvocation(['check', '--config', file], environment)
  if (resolved === undefined) return problems.join('\n')
  const kafka = kafkaSettings(resolved.config)
  return () => (kafka === undefined ? openDirectorySource(resolved.config.dataDir) : openKafkaSource(kafka))
}

function dump(from: number, json: boolean): Action {
  return async (log) => {
    for await (const records of log.records(from)) {
      for (const record of records) if (record.offset >= from) say(line(describe(record), json))
    }
    warnOfUnfinished(log)
  }
}

function tail(count: number, follow: boolean, json: boolean): Action {
  return async (log) => {
    if (follow && log.follow === undefined) throw new Error('-f: nothing is added to the log of a stopped server')
    const last: Description[] = []
    let next = log.startOffset
    for await (const records of log.records(log.tailOffset(count))) {
      for (const record of records) {
        next = record.offset + 1
        last.push(describe(record))
        if (last.length > count) last.shift()
      }
    }
    for (const record of last) say(line(record, json))
    warnOfUnfinished(log)
    if (!follow || log.follow === undefined) return
    const interrupted = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
    for await (const records of log.follow(next, interrupted.signal)) {
      for (const record of records) say(line(describe(record), json))
    }
  }
}

function line(record: Description, json: boolean): string {
  if (json) return `${JSON.stringify(record)}\n`
  const { offset, epoch, seq, kind, text } = record
  return `${String(offset).padStart(8)}  ${epoch}.${seq}  ${kind}${text === '' ? '' : `  ${text}`}\n`
}

function warnOfUnfinished({ unfinished }: LogSource): void {
  if (unfinished !== undefined) process.stderr.write(`keta: unfinished write at the end: ${unfinished}\n`)
}

function verify(json: boolean): Action {
  return async (log) => {
    const found = await verifyLog(log)
    if (json) {
      say(`${JSON.stringify(found)}\n`)
      return
    }
    const { startOffset, endOffset, snapshotOffset, records, ignored, epoch, revision, unfinished } = found
    say(`sound: ${records} records, offsets ${startOffset} to ${endOffset - 1}, epoch ${epoch}, revision ${revision}\n`)
    if (snapshotOffset !== undefined) say(`replayed from the snapshot at offset ${snapshotOffset}\n`)
    if (ignored > 0) say(`${ignored} records are passed over: of a deposed leader, or written twice\n`)
    if (unfinished !== undefined) say(`unfinished write at the end, which the next start cuts off: ${unfinished}\n`)
  }
}

function inspect(open: () => Promise<LogSource>, action: Action): Promise<number> {
  return attempt(async () => {
    for (let left = ATTEMPTS; ; left--) {
      const log = await open()
      try {
        await action(log)
        return OK
      } catch (error) {
        // servers that run have dropped the beginning after it was looked up
        const hasMoved = log.follow !== undefined && error instanceof LogError && error.code === 'OUT_OF_RANGE'
        if (!hasMoved || left === 1) throw error
      } finally {
        await log.close()
      }
    }
  })
}
