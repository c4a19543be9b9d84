/** Shows that the comparison bites: two equal etcds, one of which is made to answer wrongly, must be told apart. */
import { expect } from 'chai'
import { ensureEtcd, startEtcd } from '../../../test-servers/etcd.ts'
import { provideOrSkip, type TestServer } from '../../../test-servers/server.ts'
import { type Connection, connectTo } from './connection.ts'
import { MUTANTS, mutated } from './mutants.ts'
import { DifferenceError } from './pair.ts'
import { PHASES } from './phases.ts'
import { Session } from './session.ts'

const REQUESTS = 1500

describe('the comparison with a real etcd', function () {
  this.timeout(60_000)
  let servers: readonly TestServer[] = []
  let left: Connection
  let right: Connection

  before(async function () {
    this.timeout(600_000)
    await provideOrSkip(this, ensureEtcd)
    const [first, second] = await Promise.all([startEtcd({ fsync: false }), startEtcd({ fsync: false })])
    servers = [first, second]
    left = connectTo('etcd', first.endpoint)
    right = connectTo('another', second.endpoint)
  })

  after(async () => {
    for (const connection of servers.length > 0 ? [left, right] : []) connection.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  MUTANTS.forEach((mutant, i) => {
    it(`notices ${mutant.name}`, async () => {
      const found = await firstDifference(left, mutated(right, mutant), mutant.phase, i)
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
