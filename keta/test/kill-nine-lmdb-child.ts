/**
 * The process that kill-nine-lmdb.test.ts kills: restores the state from LMDB, applies what the log has beyond it, and
 * then writes as fast as it can, while commits of the state are always under way. Says on stdout, one line each, what
 * was made durable. Arguments: data directory, seed.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StateBacking } from '../backing/backing.ts'
import { openLmdbBacking } from '../backing/lmdb/lmdb-backing.ts'
import { keyFromText } from '../bytes/key.ts'
import { encodeCommand } from '../command/codec.ts'
import type { Command } from '../command/command.ts'
import { RecordChain } from '../command/record.ts'
import { openDataDir } from '../log/local/data-dir.ts'
import { openLocalLog } from '../log/local/local-log.ts'
import { type Random, randomOf } from './kill-nine-harness.ts'

const STDOUT = 1
const BATCH = 25
const KEYS = 200
const LEASES = 5
const MAX_VALUE_BYTES = 5000
const SCRUBBED_PER_BATCH = 40

const [directory = '', seed = '0'] = process.argv.slice(2)
await run(directory, Number(seed))

async function run(path: string, runSeed: number): Promise<never> {
  const dataDir = openDataDir(path)
  const logId = Buffer.from(dataDir.logId).toString('hex')
  const log = await openLocalLog({ directory: dataDir.logDirectory, logId: dataDir.logId })
  const warn = (message: string): void => say(`warned ${message}`)
  const backing = await openLmdbBacking({ directory: join(path, 'state'), logId, warn })
  const state = backing.restored ?? (await backing.empty())
  say(`restored ${state.position.offset}`)
  for await (const records of log.read(state.position.offset + 1)) {
    for (const { offset, bytes } of records) state.apply(offset, bytes)
  }
  const random = randomOf(runSeed + log.endOffset)
  const chain = RecordChain.claiming(state.position, Buffer.from('sixteen of bytes'))
  let records = [chain.claim({ memberId: 1n, urls: [], readLeaseMs: 0 })]
  flushForever(backing).catch((error: unknown) => {
    throw error
  })
  for (;;) {
    const { baseOffset } = await log.append(records)
    records.forEach((record, index) => state.apply(baseOffset + index, record))
    state.store.scrub(SCRUBBED_PER_BATCH)
    await backing.ready()
    records = Array.from({ length: BATCH }, () =>
      chain.command(encodeCommand(anyCommand(random, state.store.revision))),
    )
  }
}

/** A commit is under way all the time, beside the appends. */
async function flushForever(backing: StateBacking): Promise<never> {
  let said = -1
  for (;;) {
    await backing.flush()
    if (backing.durableOffset > said) say(`durable ${backing.durableOffset}`)
    said = backing.durableOffset
    await nextTurn()
  }
}

function anyCommand(random: Random, revision: number): Command {
  const below = (end: number): number => Math.floor(random() * end)
  const key = keyFromText(`key ${below(KEYS)}`)
  const dice = random()
  if (dice < 0.02) return { kind: 'compact', revision: Math.max(1, revision - below(300)), physical: false }
  if (dice < 0.05) return { kind: 'leaseGrant', id: BigInt(1 + below(LEASES)), ttl: 60 }
  if (dice < 0.08) return { kind: 'leaseRevoke', id: BigInt(1 + below(LEASES)) }
  if (dice < 0.09) return { kind: 'alarm', action: random() < 0.5 ? 'activate' : 'deactivate', memberId: 1n, alarm: 7 }
  if (dice < 0.2) return { kind: 'deleteRange', key, rangeEnd: keyFromText(''), prevKv: false }
  const value = Buffer.alloc(below(MAX_VALUE_BYTES), below(256))
  const lease = random() < 0.2 ? BigInt(1 + below(LEASES)) : 0n
  return { kind: 'put', key, value, lease, prevKv: false, ignoreValue: false, ignoreLease: false }
}

/** At once and into the pipe, so that what was said before the kill arrives. */
function say(line: string): void {
  writeSync(STDOUT, `${line}\n`)
}
