/**
 * The state on LMDB under kill -9: again and again a process is killed while it commits, also while it starts. The next
 * one must find the state after some record of the log, byte for byte, and no older than what was reported durable.
 */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLmdbBacking } from '../backing/lmdb/lmdb-backing.ts'
import { openDataDir } from '../log/local/data-dir.ts'
import { openLocalLog } from '../log/local/local-log.ts'
import { StateMachine } from '../state/state-machine.ts'
import type { CompiledProgram } from './kill-nine-compile.ts'
import { compileForNode } from './kill-nine-compile.ts'
import type { KillMoment, Random } from './kill-nine-harness.ts'
import { chosenSeed, randomOf, runUntilKilled } from './kill-nine-harness.ts'

const ROUNDS = Number(process.env['KETA_ROUNDS'] ?? (process.env['KETA_SCALE'] === 'full' ? 1000 : 100))

describe('state on lmdb under kill -9', () => {
  let program: CompiledProgram
  let directory: string
  before(() => {
    program = compileForNode(fileURLToPath(new URL('kill-nine-lmdb-child.ts', import.meta.url)))
    directory = mkdtempSync(join(tmpdir(), 'keta-kill-nine-lmdb-'))
  })
  after(() => {
    program.dispose()
    rmSync(directory, { recursive: true })
  })

  const seed = chosenSeed()
  it(`is a state of the log after each of ${ROUNDS} kills (KETA_SEED=${seed})`, async function () {
    this.timeout(ROUNDS * 3000)
    const random = randomOf(seed)
    const reference = new StateMachine()
    const total = { durable: 0, beyondReported: 0, behindLog: 0, killedStarting: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const before = reference.position.offset
      const said = await runUntilKilled([program.path, directory, String(seed)], killMoment(random))
      expect(said.filter((line) => line.startsWith('warned'))).to.deep.equal([])
      const reported = Math.max(before, ...numbersIn(said, 'durable'))
      const { restored, end } = await inspect(directory, reference)
      expect(restored, `position after round ${round}`).to.be.within(reported, end - 1)
      expect(numbersIn(said, 'restored').every((offset) => offset === before)).to.equal(true)
      total.durable += restored - before
      total.beyondReported += restored - reported
      total.behindLog += end - 1 - restored
      total.killedStarting += said.length === 0 ? 1 : 0
    }
    process.stdout.write(`      ${JSON.stringify(total)}\n`)
    expect(total.durable).to.be.greaterThan(ROUNDS)
    expect(total.behindLog).to.be.greaterThan(0)
  })
})

/** A tenth of the kills hit a process that starts. */
function killMoment(random: Random): KillMoment {
  return random() < 0.1 ? { after: 'start', delayMs: random() * 150 } : { after: 'restored', delayMs: random() * 80 }
}

/** Restores the state, and applies the log to `reference` up to the same record: the two must be equal. */
async function inspect(
  directory: string,
  reference: StateMachine,
): Promise<{ readonly restored: number; readonly end: number }> {
  const dataDir = openDataDir(directory)
  const { logDirectory, logId } = dataDir
  const log = await openLocalLog({ directory: logDirectory, logId })
  const warn = (message: string): void => expect.fail(message)
  const hexId = Buffer.from(logId).toString('hex')
  const backing = await openLmdbBacking({ directory: join(directory, 'state'), logId: hexId, warn })
  try {
    const { restored } = backing
    const offset = restored?.position.offset ?? -1
    for await (const records of log.read(reference.position.offset + 1)) {
      for (const record of records) if (record.offset <= offset) reference.apply(record.offset, record.bytes)
    }
    while (!reference.store.scrub(1000));
    if (restored !== undefined) expect(described(restored)).to.deep.equal(described(reference))
    return { restored: offset, end: log.endOffset }
  } finally {
    await backing.close()
    await log.close()
    dataDir.close()
  }
}

/** Everything that can be seen of a state; its versions as a hash of all their bytes. */
function described({ store, leases, alarms, position, claimer, featureLevel }: StateMachine): unknown {
  const hash = createHash('sha256')
  let events = 0
  for (const { revision, events: changes } of store.commits(Math.max(0, store.compactRevision), Infinity, Infinity)) {
    for (const { version, previous } of changes) {
      hash.update(`${revision}.${version.sub}`).update(version.encoded())
      if (previous !== undefined) hash.update(previous.encoded())
      events++
    }
  }
  return {
    position,
    claimer,
    featureLevel,
    revision: store.revision,
    compactRevision: store.compactRevision,
    keys: store.keyCount,
    liveBytes: store.liveBytes,
    hash: [store.hashKv(store.revision), events, hash.digest('hex')],
    leases: Array.from(leases.leases(), (lease) => [lease.id, lease.ttl, lease.sortedKeys()]),
    alarms: alarms.list(),
  }
}

function numbersIn(lines: readonly string[], word: string): number[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)))
}
