/** Shows that the comparison bites: two equal etcds, one of which is made to answer wrongly, must be told apart. */
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { AuthUsers, ROOT } from './auth-users.ts'
import { type Connection, connectTo } from './connection.ts'
import { AUTH_PHASES, MUTANTS, mutated } from './mutants.ts'
import { DifferenceError, Pair } from './pair.ts'
import { PHASES } from './phases.ts'
import { Session } from './session.ts'

const REQUESTS = 1500
/** Hashes of passwords. */
const CHEAP = ['--bcrypt-cost', '4']

describe('the comparison with a real etcd', function () {
  this.timeout(60_000)
  let servers: readonly TestServer[] = []
  let left: Connection
  let right: Connection

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureEtcd)
    const [first, second] = await Promise.all([
      startEtcd({ fsync: false, flags: CHEAP }),
      startEtcd({ fsync: false, flags: CHEAP }),
    ])
    servers = [first, second]
    left = connectTo('etcd', first.endpoint)
    right = connectTo('another', second.endpoint)
  })

  after(async () => {
    for (const connection of servers.length > 0 ? [left, right] : []) connection.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  /** A run that stopped in the middle has left auth on. */
  async function turnAuthOff(): Promise<void> {
    const users = new AuthUsers(new Pair(left, right, 0))
    users.passwords.set(ROOT, 'secret')
    await users.disable()
  }

  MUTANTS.forEach((mutant, i) => {
    it(`notices ${mutant.name}`, async () => {
      const found = await firstDifference(left, mutated(right, mutant), mutant.phase, i)
      if (AUTH_PHASES.includes(mutant.phase)) await turnAuthOff()
      expect(found).to.be.instanceOf(DifferenceError)
    })
  })
})

async function firstDifference(left: Connection, right: Connection, phase: string, seed: number): Promise<unknown> {
  let session: Session | undefined
  try {
    session = await Session.open(left, right, seed)
    await PHASES[phase]?.(session, REQUESTS)
    await session.compareStates()
    return undefined
  } catch (error) {
    return error
  } finally {
    session?.close()
  }
}
