/** What the conformance suite must know of this backend: `keta conformance --harness harness.ts#startHarness`. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendHarness } from 'keta/conformance'
import { systemClock } from 'keta/spi'
import { capabilitiesOf } from './driver.ts'
import { Log } from './log.ts'
import { folderOf } from './segments.ts'
import type { Command, SeatName } from './state.ts'

/** A renewal waits twice for the disk, which may be busy. */
const TTL_MS = 2000
const POLL_MS = 50
/** So few that segments come and go in most of the cases. */
const SEGMENT_FILES = 20
const LIMIT_MS = 5000

export async function startHarness(): Promise<BackendHarness & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'keta-directory-'))
  return {
    name: 'directory (example)',
    locator: new URL('index.ts#DirectoryPluginLocator', import.meta.url).href,
    endpoints: [],
    properties: () => ({
      'plugin.directory.path': directory,
      'plugin.directory.poll.ms': String(POLL_MS),
      'plugin.directory.segment.files': String(SEGMENT_FILES),
    }),
    expect: capabilitiesOf(POLL_MS),
    sessionTtlMs: TTL_MS,
    // clients watch sessions, and slowly on a busy machine
    expiryLagMs: 1000,
    hooks: {
      async expireSession(session) {
        for (const cluster of await clustersIn(directory)) {
          await onLog(join(directory, cluster), async (log) => {
            if (log.state.sessions.has(session)) await append(log, { does: 'end', session })
          })
        }
      },
      removeLeader: (clusterId, service) => empty(join(directory, folderOf(clusterId)), { kind: 'leader', service }),
      removeMember: (clusterId, group, id) =>
        empty(join(directory, folderOf(clusterId)), { kind: 'member', group, id }),
      async compact() {
        for (const cluster of await clustersIn(directory)) {
          await onLog(join(directory, cluster), async (log) => {
            if (log.state.sessions.size === 0) return
            // the first leaves the segment for those who are a little late
            await log.seal()
            await log.seal()
          })
        }
      },
      async usage() {
        let sessions = 0
        for (const cluster of await clustersIn(directory)) {
          await onLog(join(directory, cluster), async ({ state }) => {
            sessions += state.sessions.size
          })
        }
        return { sessions }
      },
    },
    notRun: NOT_RUN,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

/** Without those that are just being made. */
async function clustersIn(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith(folderOf('')))
}

const NOT_RUN = Object.fromEntries([
  ...reasonFor(
    'there is no network between a client and its files',
    'L3b L5b E3 E6 R15 G15 X4 X9 X10 X13 X15 X16 X25 X26 F5 F7 F9',
  ),
  ...reasonFor('there are no servers', 'E5 S22 X17 F1 F2 F3 F4 F6'),
  ...reasonFor('who may read and write the files is up to the system', 'E8a E8b'),
])

function reasonFor(reason: string, cases: string): readonly (readonly [string, string])[] {
  return cases.split(' ').map((id) => [id, reason] as const)
}

async function empty(folder: string, seat: SeatName): Promise<void> {
  await onLog(folder, async (log) => {
    const sitting = log.state.sitting(seat)
    if (sitting !== undefined) await append(log, { does: 'empty', seat, token: sitting.token })
  })
}

async function append(log: Log, command: Command): Promise<void> {
  await log.append(command, { signal: new AbortController().signal, timeoutMs: LIMIT_MS })
}

async function onLog(folder: string, task: (log: Log) => Promise<void>): Promise<void> {
  const log = new Log({ folder, clock: systemClock, segmentFiles: Infinity, onChange: () => undefined })
  try {
    await log.sync()
    await task(log)
  } finally {
    await log.close()
  }
}
