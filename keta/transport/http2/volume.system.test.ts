/**
 * The volume of a day over a few connections that stay: nothing may be left of a call or an event when it is over. At
 * full length it is what some 200 calls and as many events a second make in 24 hours.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { VolumeClient } from './volume-client.fixture.ts'
import type { Kept } from './volume-server.fixture.ts'

const CALLS = process.env['KETA_SCALE'] === 'full' ? 20_000_000 : 400_000
/** The ids of their first streams. */
const CONNECTIONS = [1, 2 ** 20 + 1, 2 ** 29 + 1, 2 ** 30 + 1]
const ROUNDS = 10
/** What is made and kept once: code, tables, buffers that are used again. */
const SLACK_BYTES = 2 * 2 ** 20
const RESIDENT_SLACK_BYTES = 64 * 2 ** 20

describe(`${CALLS / 1e6} million calls and as many events over ${CONNECTIONS.length} connections`, function () {
  this.timeout(3_600_000)
  let server: ChildProcess
  let clients: readonly VolumeClient[]

  before(async () => {
    server = fork(fileURLToPath(new URL('volume-server.fixture.ts', import.meta.url)))
    const [port] = (await once(server, 'message')) as [number]
    clients = CONNECTIONS.map((firstId) => new VolumeClient(port, firstId))
  })

  after(() => {
    for (const client of clients) client.close()
    server.kill()
  })

  async function kept(): Promise<Kept> {
    const answer = once(server, 'message') as Promise<[Kept]>
    server.send('kept')
    return (await answer)[0]
  }

  it('leave nothing behind', async () => {
    const each = CALLS / ROUNDS / CONNECTIONS.length
    const rounds: Kept[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(clients.map((client) => client.run(each)))
      rounds.push(await kept())
    }
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(2)
    console.log(`      kept after each tenth, in MiB: ${rounds.map(({ bytes }) => mib(bytes)).join(' ')}`)
    console.log(`      resident, in MiB: ${rounds.map(({ residentBytes }) => mib(residentBytes)).join(' ')}`)
    const [warm, last] = [rounds[1]!, rounds.at(-1)!]
    expect(last.bytes - warm.bytes).to.be.lessThan(SLACK_BYTES)
    expect(last.residentBytes - warm.residentBytes).to.be.lessThan(RESIDENT_SLACK_BYTES)
    expect(clients.map(({ lastId }, index) => lastId - CONNECTIONS[index]!)).to.deep.equal(
      CONNECTIONS.map(() => (CALLS / CONNECTIONS.length) * 2),
    )
  })
})
