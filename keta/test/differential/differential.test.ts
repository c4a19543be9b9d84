/**
 * Keta against a real etcd: the same random requests go to both, and every answer and every event must be equal, but
 * for `exceptions.ts`. A difference is printed with its seed; KETA_SEED=N runs that seed alone, KETA_SCALE=full ten
 * times as many requests, KETA_DIFFERENTIAL=etcd compares two real etcds (which proves the comparer, not Keta).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { startKeta } from '../../../test-servers/keta.ts'
import { provideOrSkip } from '../../../test-servers/server.ts'
import { type Compared, comparedTable, counted, untold } from './compared.ts'
import { type Connection, connectTo } from './connection.ts'
import { AUTH_PHASES } from './mutants.ts'
import type { Phase } from './phase.ts'
import { PHASES } from './phases.ts'
import { Session } from './session.ts'

const SCALE = process.env['KETA_SCALE'] === 'full' ? 10 : 1
const SEEDS = process.env['KETA_SEED'] === undefined ? [1, 20_261, 77_003] : [Number(process.env['KETA_SEED'])]
/** Of every phase that has no number of its own. */
const REQUESTS = 900 * SCALE
const LEAST_REQUESTS = 20_000 * SCALE

const README = new URL('../../../README.md', import.meta.url)
const BEGIN = '<!-- compared: written by UPDATE_GENERATED=1 npx mocha keta/test/differential/differential.test.ts -->\n'
const END = '<!-- end of what was compared -->'

describe('keta beside a real etcd', function () {
  this.timeout(240_000 * SCALE)
  let total = 0
  const compared: Compared = new Map()

  before(async function () {
    await provideOrSkip(this, ensureEtcd)
  })

  for (const seed of SEEDS) {
    it(`gives every answer and every event that etcd gives (seed ${seed})`, async () => {
      const servers = await startBoth(CHEAP)
      const connections = servers.map((server) => connectTo(server.name, server.endpoint))
      const [left, right] = connections
      if (!left || !right) throw new Error('two servers gave fewer connections')
      try {
        total += await runSession(left, counted(right, compared), seed, Object.entries(PHASES))
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

  it('gives every answer that etcd gives to users with signed tokens', async () => {
    const secret = join(mkdtempSync(join(tmpdir(), 'keta-jwt-')), 'secret')
    writeFileSync(secret, 'shared by both')
    const token = `jwt,priv-key=${secret},sign-method=HS256,ttl=10m`
    const servers = await startBoth([...CHEAP, '--auth-token', token])
    const [left, right] = servers.map((server) => connectTo(server.name, server.endpoint))
    if (!left || !right) throw new Error('two servers gave fewer connections')
    try {
      const phases = Object.entries(PHASES).filter(([name]) => AUTH_PHASES.includes(name))
      expect(phases).to.have.length(2)
      await runSession(left, right, 11, phases)
    } finally {
      for (const connection of [left, right]) connection.close()
      await Promise.all(servers.map((server) => server.stop()))
      rmSync(dirname(secret), { recursive: true })
    }
  })

  if (process.env['KETA_SEED'] !== undefined) return

  it('has compared enough requests', () => {
    expect(total).to.be.at.least(LEAST_REQUESTS)
  })

  it('has compared all of the API, or the README says what shows it instead', () => {
    expect(untold(compared)).to.deep.equal([])
    if (process.env['UPDATE_GENERATED'] !== '1') return
    const text = readFileSync(README, 'utf8')
    const [before = '', rest = ''] = text.split(BEGIN)
    const [, after = ''] = rest.split(END)
    writeFileSync(README, `${before}${BEGIN}${comparedTable(compared)}${END}${after}`)
  })
})

/** Hashes of passwords. */
const CHEAP = ['--bcrypt-cost', '4']

function startBoth(flags: readonly string[]) {
  const etcd = () => startEtcd({ fsync: false, flags })
  return Promise.all([etcd(), process.env['KETA_DIFFERENTIAL'] === 'etcd' ? etcd() : startKeta({ flags })])
}

async function runSession(
  left: Connection,
  right: Connection,
  seed: number,
  phases: readonly (readonly [string, Phase])[],
): Promise<number> {
  const session = await Session.open(left, right, seed)
  try {
    for (const [name, phase] of phases) {
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
