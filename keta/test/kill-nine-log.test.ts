/**
 * The local log, its snapshots and the data directory's lock under kill -9: hundreds of times a process that appends
 * is killed at a random moment, also while it starts, and the next one must find all that was acknowledged.
 */
import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openDataDir } from '../log/local/data-dir.ts'
import { openLocalLog } from '../log/local/local-log.ts'
import type { TornTail } from '../log/local/recovery.ts'
import { openSnapshotFiles } from '../log/local/snapshot-files.ts'
import type { Log } from '../log/log.ts'
import type { SnapshotStore } from '../log/snapshots.ts'
import type { CompiledProgram } from './kill-nine-compile.ts'
import { compileForNode } from './kill-nine-compile.ts'
import type { KillMoment, Random } from './kill-nine-harness.ts'
import { chosenSeed, randomOf, runUntilKilled } from './kill-nine-harness.ts'
import { batchAt, batchOf, KILL_NINE_SEGMENT_BYTES, snapshotAt } from './kill-nine-log-content.ts'

const ROUNDS = Number(process.env['KETA_ROUNDS'] ?? (process.env['KETA_SCALE'] === 'full' ? 2000 : 500))

describe('local log under kill -9', () => {
  let program: CompiledProgram
  let directory: string
  before(() => {
    program = compileForNode(fileURLToPath(new URL('kill-nine-log-child.ts', import.meta.url)))
    directory = mkdtempSync(join(tmpdir(), 'keta-kill-nine-'))
  })
  after(() => {
    program.dispose()
    rmSync(directory, { recursive: true })
  })

  const seed = chosenSeed()
  it(`has every acknowledged record after each of ${ROUNDS} kills (KETA_SEED=${seed})`, async function () {
    this.timeout(ROUNDS * 2000)
    const random = randomOf(seed)
    let last = await inspect(directory, seed)
    const total = { acknowledged: 0, torn: 0, unacknowledged: 0, killedStarting: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const said = await runUntilKilled([program.path, directory, String(seed)], killMoment(random))
      const promised = Math.max(last.endOffset, ...numbersIn(said, 'acknowledged'))
      const next = await inspect(directory, seed)
      expect(next.endOffset, `end of the log after round ${round}`).to.be.at.least(promised)
      expect(next.endOffset).to.be.at.most(promised + batchAt(seed, promised).length)
      expect(next.newestSnapshot).to.be.at.least(Math.max(last.newestSnapshot, ...numbersIn(said, 'snapshot')))
      expect(numbersIn(said, 'started').every((end) => end === last.endOffset)).to.equal(true)
      total.acknowledged += promised - last.endOffset
      total.unacknowledged += next.endOffset - promised
      total.torn += next.torn
      total.killedStarting += said.length === 0 ? 1 : 0
      last = next
    }
    process.stdout.write(`      ${JSON.stringify(total)}\n`)
    expect(total.acknowledged).to.be.greaterThan(ROUNDS)
  })
})

/** A fifth of the kills hit a process that starts, which takes some 60 ms; the others one that writes. */
function killMoment(random: Random): KillMoment {
  return random() < 0.2 ? { after: 'start', delayMs: random() * 80 } : { after: 'started', delayMs: random() * 50 }
}

interface Inspection {
  readonly endOffset: number
  /** -1 if there is none. */
  readonly newestSnapshot: number
  readonly torn: number
}

/** Opens everything as a start does, and holds every byte against what may be there. */
async function inspect(directory: string, seed: number): Promise<Inspection> {
  const dataDir = openDataDir(directory)
  const { logId, logDirectory, snapshotDirectory } = dataDir
  const cuts: TornTail[] = []
  const warn = (cut: TornTail): void => {
    cuts.push(cut)
  }
  try {
    const snapshots = await openSnapshotFiles({ directory: snapshotDirectory, logId })
    const log = await openLocalLog({ directory: logDirectory, logId, segmentBytes: KILL_NINE_SEGMENT_BYTES, warn })
    try {
      await checkRecords(log, seed)
      return { endOffset: log.endOffset, newestSnapshot: await checkSnapshots(snapshots, log, seed), torn: cuts.length }
    } finally {
      await log.close()
    }
  } finally {
    dataDir.close()
  }
}

async function checkRecords(log: Log, seed: number): Promise<void> {
  let next = log.startOffset
  let batch: { readonly from: number; readonly to: number } = { from: next, to: next }
  let wanted: Buffer[] = []
  for await (const records of log.read(log.startOffset)) {
    for (const { offset, bytes } of records) {
      expect(offset).to.equal(next)
      if (offset >= batch.to) {
        batch = batchOf(bytes, offset)
        expect(batch.from, 'a batch begins where the one before it ended').to.equal(offset)
        wanted = batchAt(seed, offset)
      }
      if (wanted[offset - batch.from]?.equals(bytes) !== true) {
        throw new Error(`record ${offset} is not what was appended`)
      }
      next = offset + 1
    }
  }
  expect(next, 'the log ends with its last record').to.equal(log.endOffset)
  expect(batch.to, 'the last batch is whole').to.equal(next)
}

async function checkSnapshots(snapshots: SnapshotStore, log: Log, seed: number): Promise<number> {
  const infos = await snapshots.list()
  for (const info of infos) {
    expect(info.offset).to.be.within(log.startOffset - 1, log.endOffset - 1)
    const wanted = snapshotAt(seed, info.offset)
    for await (const chunk of snapshots.load(info)) {
      expect(wanted.shift()?.equals(chunk)).to.equal(true)
    }
    expect(wanted).to.deep.equal([])
  }
  return infos[0]?.offset ?? -1
}

function numbersIn(lines: readonly string[], word: string): number[] {
  return lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)))
}
