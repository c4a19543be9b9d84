/**
 * Keta against a real etcd: the same random requests go to both, and every answer and every event must be equal, but
 * for `exceptions.ts`. A difference is printed with its seed; KETA_SEED=N runs that seed alone, KETA_SCALE=full ten
 * times as many requests, KETA_DIFFERENTIAL=etcd compares two real etcds (which proves the comparer, not Keta).
 */
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { type Connection, connectTo } from './connection.ts'
import { PHASES } from './phases.ts'
import { Session } from './session.ts'

const SCALE = process.env['KETA_SCALE'] === 'full' ? 10 : 1
const SEEDS = process.env['KETA_SEED'] === undefined ? [1, 20_261, 77_003] : [Number(process.env['KETA_SEED'])]
/** Of every phase that has no number of its own. */
const REQUESTS = 900 * SCALE
const LEAST_REQUESTS = 20_000 * SCALE

describe('keta beside a real etcd', function () {
  this.timeout(240_000 * SCALE)
  let total = 0

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
  })

  for (const seed of SEEDS) {
    it(`gives every answer and every event that etcd gives (seed ${seed})`, async () => {
      const servers = await Promise.all([startEtcd({ fsync: false }), startOther()])
      const connections = servers.map((server) => connectTo(server.name, server.endpoint))
      const [left, right] = connections
      if (!left || !right) throw new Error('two servers gave fewer connections')
      try {
        total += await runSession(left, right, seed)
      } catch (error) {
        for (const server of servers)
          process.stderr.write(`end of the log of ${server.name}:\n${firstFailure(server.log())}\n`)
        throw error
      } finally {
        for (const connection of connections) connection.close()
        await Promise.all(servers.map((server) => server.stop()))
      }
    })
  }

  it('has compared enough requests', function () {
    if (process.env['KETA_SEED'] !== undefined) return this.skip()
    expect(total).to.be.at.least(LEAST_REQUESTS)
  })
})

function startOther() {
  return process.env['KETA_DIFFERENTIAL'] === 'etcd' ? startEtcd({ fsync: false }) : startKeta()
}

async function runSession(left: Connection, right: Connection, seed: number): Promise<number> {
  const session = await Session.open(left, right, seed)
  try {
    for (const [name, phase] of Object.entries(PHASES)) {
      session.pair.enter(name)
      await phase(session, REQUESTS)
      await session.compareStates()
    }
    return session.pair.requests
  } finally {
    session.close()
  }
}

/** What a server that ended had to say about it, without its stack. */
function firstFailure(log: string): string {
  const at = log.search(/panic|fatal/i)
  return at === -1 ? log.slice(-1500) : log.slice(Math.max(0, at - 300), at + 900)
}
